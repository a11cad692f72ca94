"""What the demo says, in both languages."""

from __future__ import annotations

from dataclasses import dataclass

from taxagent.model.faults import Lang


@dataclass(frozen=True)
class DemoWords:
    """Templates of the demo's lines."""

    lang: Lang
    listed: str  # between the items of a list
    title: str
    started: str
    device: str
    main_machine: str
    sub_machine: str
    type_row: str
    check: str
    backup: str
    prepared: str
    accepted: str
    steps: str
    waiting: str
    filed: str
    recorded: str
    verified: str
    done: str
    broken: str


WORDS: dict[Lang, DemoWords] = {
    "zh": DemoWords(
        lang="zh",
        listed="、",
        title="这是模拟：设备、税务机关和时钟都是模拟的；客户端、代理、日志、USB 协议和记录是真的。",
        started="已启动：{count} 台模拟设备，模拟税务机关，代理",
        device="设备 {device_no}，{kind}，{machine}，纳税人 {taxpayer}，设备时钟 {clock}",
        main_machine="主机",
        sub_machine="分机 {number}",
        type_row=(
            "  发票类型 {invoice_type}（组 {group}）：开票截止 {deadline}，最新报税 {last_report}  {periods}"
        ),
        check="检查 {device_no}：{outcome}",
        backup="备份 {device_no}：{outcome}  {path}",
        prepared="将要办理 {device_no}（需要确认）：",
        accepted="已确认，任务 {job} 已受理（已落盘）",
        steps="{device_no} 的步骤（各设备同时办理）：",
        waiting="等待：{title}",
        filed="（此时在模拟税务机关完成了 {periods} 的申报）",
        recorded="记录 {job}：{outcome}，SHA-256 {sha256}",
        verified="日志校验：{rows} 行，哈希链完整",
        done="{count} 台设备全部完成，用时 {seconds} 秒",
        broken="与承诺不符：{what}",
    ),
    "en": DemoWords(
        lang="en",
        listed=", ",
        title=(
            "SIMULATION: device, bureau and clock are simulated; client, agent, journal, USB"
            " protocol and record are real."
        ),
        started="Started: {count} simulated devices, simulated bureau, agent",
        device="Device {device_no}, {kind}, {machine}, taxpayer {taxpayer}, its clock {clock}",
        main_machine="main machine",
        sub_machine="sub machine {number}",
        type_row=(
            "  type {invoice_type} (group {group}): invoicing until {deadline}, last report {last_report}"
            "  {periods}"
        ),
        check="Check of {device_no}: {outcome}",
        backup="Back-up of {device_no}: {outcome}  {path}",
        prepared="To be done on {device_no} (wants a confirmation):",
        accepted="Confirmed; job {job} is accepted, and on disk",
        steps="Steps of {device_no} (the devices are at work side by side):",
        waiting="Waiting: {title}",
        filed="(now the return for {periods} is filed at the simulated bureau)",
        recorded="Record {job}: {outcome}, SHA-256 {sha256}",
        verified="Journal verified: {rows} rows, the hash chain is whole",
        done="{count} devices done in {seconds} seconds",
        broken="Not as promised: {what}",
    ),
}
