"""What the demo says, in both languages."""

from __future__ import annotations

from dataclasses import dataclass

from taxagent.model.faults import Lang


@dataclass(frozen=True)
class DemoWords:
    """Templates of the demo's lines."""

    lang: Lang
    title: str
    started: str
    device: str
    type_row: str
    check: str
    backup: str
    prepared: str
    accepted: str
    step: str
    waiting: str
    filed: str
    verified: str
    done: str
    broken: str


WORDS: dict[Lang, DemoWords] = {
    "zh": DemoWords(
        lang="zh",
        title="这是模拟：设备、税务机关和时钟都是模拟的；客户端、代理、日志、USB 协议和记录是真的。",
        started="已启动：模拟设备 {device}，模拟税务机关，代理（纳税人 {taxpayer}）",
        device="设备 {device_no}，{kind}，设备时钟 {clock}",
        type_row="  票种 {invoice_type}：开票截止 {deadline}，最新报税 {last_report}  {periods}",
        check="检查：{outcome}",
        backup="备份：{outcome}  {path}",
        prepared="将要办理：{what}（需要确认）",
        accepted="已确认，任务 {job} 已受理（已落盘）",
        step="  ✓ {step} {about} {note}",
        waiting="等待：{title}",
        filed="（此时在模拟税务机关完成了 {period} 的申报）",
        verified="日志校验：{rows} 行，哈希链完整",
        done="全部完成，用时 {seconds} 秒",
        broken="与承诺不符：{what}",
    ),
    "en": DemoWords(
        lang="en",
        title=(
            "This is a simulation: device, bureau and clock are simulated; client, agent, journal, USB"
            " protocol and record are real."
        ),
        started="Started: simulated device {device}, simulated bureau, agent (taxpayer {taxpayer})",
        device="Device {device_no}, {kind}, its clock {clock}",
        type_row="  type {invoice_type}: invoicing until {deadline}, last report {last_report}  {periods}",
        check="Check: {outcome}",
        backup="Back-up: {outcome}  {path}",
        prepared="To be done: {what} (wants a confirmation)",
        accepted="Confirmed; job {job} is accepted, and on disk",
        step="  ✓ {step} {about} {note}",
        waiting="Waiting: {title}",
        filed="(now the return for {period} is filed at the simulated bureau)",
        verified="Journal verified: {rows} rows, the hash chain is whole",
        done="All done in {seconds} seconds",
        broken="Not as promised: {what}",
    ),
}
