"""taxctl's own words, Chinese and English. What the agent says comes in words already."""

from __future__ import annotations

from taxclient.cli.texts import TEXT, Words

__all__ = ["TEXT", "Speech", "Words", "language"]


KIND: Words = {
    "check": ("检查", "check"),
    "backup": ("备份", "back-up"),
    "report": ("抄报", "report"),
    "clear": ("清卡", "clear"),
    "settle": ("月结（抄报并清卡）", "settle (report and clear)"),
}
STATE: Words = {
    "accepted": ("已受理", "accepted"),
    "running": ("办理中", "running"),
    "waiting": ("等待中", "waiting"),
    "unknown": ("中断，正在核实", "interrupted, being verified"),
    "needs_human": ("需要人工处理", "needs a person"),
    "done": ("已完成", "done"),
    "refused": ("被拒绝", "refused"),
    "stopped": ("已停止", "stopped"),
    "expired": ("已过期", "expired"),
    "closed": ("已关闭", "closed"),
}
OUTCOME: Words = {
    "not_executed": ("未执行", "not executed"),
    "executed": ("已执行", "executed"),
    "partly_executed": ("部分执行", "partly executed"),
    "unknown": ("待核实", "unknown"),
}
STEP: Words = {
    "identify": ("识别设备", "identify"),
    "preflight": ("办理前检查", "preflight"),
    "backup": ("备份", "back-up"),
    "seal": ("抄税", "seal"),
    "submit": ("上报汇总", "submit"),
    "declaration": ("核对申报", "declaration"),
    "ticket": ("领取清卡密文", "get the clear ticket"),
    "clock_ticket": ("写入时钟密文", "write the clock ticket"),
    "apply": ("写入清卡密文", "write the clear ticket"),
    "verify": ("核对设备", "verify"),
    "confirm": ("结果确认", "confirm"),
    "record": ("生成记录", "record"),
}
NOTE: Words = {
    "already": ("此前已完成", "was done before"),
    "accepted": ("已申报", "filed"),
    "not_sent": ("没有发出", "was not sent"),
    "refused": ("被拒绝", "refused"),
    "not_due": ("本期无需申报", "no return is due"),
    "reconciled": ("中断后核实", "settled by reading"),
    "not_confirmed": ("尚未通知税务机关", "the bureau was not told"),
}
PERIOD: Words = {
    "open": ("开票中", "open"),
    "settled": ("已完成", "settled"),
    "report_due": ("待抄报", "to be reported"),
    "clear_due": ("待清卡", "to be cleared"),
}
DEVICE: Words = {
    "golden_disk": ("金税盘", "golden disk"),
    "control_disk": ("税控盘", "control disk"),
    "ukey": ("税务UKey", "tax UKey"),
}
SOURCE: Words = {
    "official": ("官方通知", "official notice"),
    "rule": ("按规则推算", "by the rule"),
    "override": ("地方延期或人工指定", "override"),
}
VERDICT: Words = {
    "can": ("可以开票", "CAN issue invoices"),
    "cannot": ("不能开票", "CANNOT issue invoices"),
    "unknown": ("无法判断能否开票", "NOT KNOWN whether it can issue invoices"),
}
INVOICE: Words = {
    "004": ("增值税专用发票", "special VAT invoice"),
    "005": ("机动车销售统一发票", "motor vehicle invoice"),
    "006": ("二手车销售统一发票", "used vehicle invoice"),
    "007": ("增值税普通发票", "general VAT invoice"),
    "025": ("增值税普通发票（卷票）", "general VAT invoice, roll"),
    "026": ("增值税电子普通发票", "electronic general VAT invoice"),
    "028": ("增值税电子专用发票", "electronic special VAT invoice"),
}
WHO: Words = {
    "here": ("本单位", "you, here"),
    "bureau": ("税务机关", "the tax bureau"),
    "vendor": ("设备服务商", "the device's vendor"),
    "tax_hall": ("办税服务厅", "the tax hall"),
}
JOBS: Words = {  # the columns of the list of jobs
    "job": ("任务", "job"),
    "accepted": ("受理时间", "accepted"),
    "kind": ("业务", "work"),
    "device": ("设备", "device"),
    "periods": ("月份", "months"),
    "state": ("状态（结果）", "state (outcome)"),
}
RECORDS: Words = {  # of the list of records
    "job": ("任务", "job"),
    "ended": ("结束时间", "ended"),
    "kind": ("业务", "work"),
    "device": ("设备", "device"),
    "periods": ("月份", "months"),
    "outcome": ("结果", "outcome"),
}
TOTALS: Words = {  # the columns of a month's totals
    "type": ("发票类型", "invoice type"),
    "positive": ("正数", "positive"),
    "amount": ("金额", "amount"),
    "tax": ("税额", "tax"),
    "negative": ("负数", "negative"),
    "negative_amount": ("金额", "amount"),
    "negative_tax": ("税额", "tax"),
    "voided": ("作废", "voided"),
}
CONSEQUENCE: Words = {
    "SEAL": (
        "对发票类型 {0} 抄税，所属期 {1}；不可撤销",
        "seal period {1} of invoice types {0}; this cannot be undone",
    ),
    "SUBMIT": ("向税务机关上报 {0} 的 {1} 汇总", "submit the summary of {0}, {1}, to the tax bureau"),
    "CLEAR": (
        "清卡 {0}，新的开票截止日期由税务机关决定；不可撤销",
        "clear {0}; the bureau sets the new invoicing deadline; this cannot be undone",
    ),
    "CLEAR_TO": (
        "清卡 {0}，开票截止日期变为 {1}；不可撤销",
        "clear {0}; the invoicing deadline becomes {1}; this cannot be undone",
    ),
}


class Speech:
    """Words in one language, and the marks that stand between them."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._column = 0 if lang == "zh" else 1
        marks = ("：", "，", "；", "。") if lang == "zh" else (": ", ", ", "; ", ". ")
        self.colon, self.comma, self.semicolon, self.stop = marks

    def aside(self, text: str) -> str:
        """Return the text in brackets, to stand behind another; "" for none."""
        if not text:
            return ""
        return f"（{text}）" if self.lang == "zh" else f" ({text})"

    def word(self, table: Words, code: str) -> str:
        """Return the word for a code; a code without one is shown as it is."""
        return table[code][self._column] if code in table else code

    def say(self, name: str, *facts: object) -> str:
        """Return a sentence of TEXT with its facts."""
        return TEXT[name][self._column].format(*facts)


def language(choice: str, environment: dict[str, str]) -> str:
    """Return "zh" or "en": `choice` where given, else as LC_ALL, LC_MESSAGES or LANG begin."""
    if choice:
        return choice
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name, ""):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
