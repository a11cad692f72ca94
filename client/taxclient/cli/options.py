"""taxctl's command line: its commands and options, in Chinese or English. Runs nothing."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from taxclient.caller import DEFAULT_ENDPOINT
from taxclient.cli.usage import lines_of_100

Pick = Callable[[str, str], str]  # of Chinese and English


def parser(lang: str) -> argparse.ArgumentParser:
    """Return the command line in a language."""

    def say(zh: str, en: str) -> str:
        return zh if lang == "zh" else en

    top = argparse.ArgumentParser(
        prog="taxctl",
        description=say("税控设备代理的命令行客户端", "Ask the tax-control device agent."),
        parents=[_shared(None, say)],
        formatter_class=lines_of_100,
    )
    top.add_argument(
        "--version", action=_Version, nargs=0, help=say("显示版本", "print the version and exit")
    )
    _reading(Group(top, "command", say("命令", "COMMAND"), "taxctl", say))
    return top


class Group:
    """The commands below a command; each takes the shared options."""

    def __init__(self, above: argparse.ArgumentParser, dest: str, name: str, prog: str, say: Pick) -> None:
        self.say = say
        self._shared = _shared(argparse.SUPPRESS, say)
        self._made = above.add_subparsers(
            dest=dest, required=True, metavar=name, prog=prog, title=say("命令", "commands")
        )

    def add(self, name: str, zh: str, en: str) -> argparse.ArgumentParser:
        """Declare a command by its one line."""
        text = self.say(zh, en)
        return self._made.add_parser(
            name, help=text, description=text, parents=[self._shared], formatter_class=lines_of_100
        )

    def below(self, command: argparse.ArgumentParser, dest: str, prog: str) -> Group:
        """Return the commands below one of these."""
        return Group(command, dest, self.say("操作", "ACTION"), prog, self.say)


def _reading(commands: Group) -> None:
    """All commands, in the order in which people need them."""
    say = commands.say
    number = say("设备编号", "DEVICE_NO")
    commands.add("status", "设备、待办的月份、进行中的任务", "devices, what is due, live jobs")
    commands.add(
        "why", "能不能开票，为什么不能", "can this shop issue invoices, and if not, why?"
    ).add_argument("device", nargs="?", default="", metavar=number, help=say("默认全部", "default: all"))
    window = commands.add(
        "window",
        "现在能不能抄报和清卡、还有多久、全年征期截止日",
        "may be reported and cleared now, for how long; the year's filing deadlines",
    )
    window.add_argument(
        "--year", type=int, default=0, metavar=say("年份", "YEAR"), help=say("默认今年", "default: this year")
    )
    window.add_argument("--device", default="", metavar=number, help=say("默认全部", "default: all"))
    window.add_argument(
        "--at",
        default="",
        metavar=say("时间", "TIME"),
        help=say("例如 '2026-11-16 09:30'；默认现在", "for example '2026-11-16 09:30'; default: now"),
    )
    commands.add(
        "explain",
        "故障代码、厂商代码或提示语是什么意思，由谁处理，怎么办",
        "what a code, a vendor's code or a prompt means, who can mend it and how",
    ).add_argument(
        "what",
        nargs="?",
        default="",
        metavar=say("代码或提示语", "CODE"),
        help=say("不填则列出全部", "a code, a vendor's code or a prompt; default: all"),
    )
    commands.add(
        "help", "术语：抄报、清卡、所属期等", "terms: report, declare, clear, seal, period, lock date"
    ).add_argument("topic", nargs="?", default="terms", choices=("terms",), help=say("术语", "the terms"))
    _invoice_options(
        commands.add(
            "invoice",
            "按代码和号码，或按二维码查找发票",
            "find an invoice on its device, by code and number or by its QR code",
        ),
        say,
    )
    commands.add(
        "doctor",
        "代理自身和它的电脑是否正常（退出码 1：有问题）",
        "is the agent well, and the computer that it runs on (exit 1: something is bad)",
    )
    for name, zh, en in _WORK:
        _work_options(commands.add(name, zh, en), say)
    _device_options(
        commands.below(
            commands.add(
                "device",
                "设备：详情、交出、收回、再试",
                "devices: all of one, leave it to others, use it again",
            ),
            "action",
            "taxctl device",
        )
    )
    _job_options(
        commands.below(commands.add("job", "任务", "list, show, follow or stop jobs"), "action", "taxctl job")
    )
    _record_options(
        commands.below(commands.add("record", "办理记录", "clearing records"), "action", "taxctl record")
    )
    commands.add(
        "drain",
        "停止代理：不再接受新的办理，正在办理的走到安全点（管理员）",
        "stop the agent: no new work, what runs comes to a safe point (for its administrator)",
    )


_WORK = (
    (
        "check",
        "检查设备和税务机关是否就绪，一项一行（退出码 11：有问题）",
        "see whether device, computer and bureau are ready, line by line (exit 11: something is not)",
    ),
    ("backup", "备份设备中的数据", "back up what is on the device"),
    ("report", "抄报：抄税并上报汇总", "seal the past months and submit them"),
    ("clear", "清卡：领取清卡密文并写入设备", "get the clear ticket and write it"),
    (
        "settle",
        "月结：抄报，等申报完成，清卡",
        "report, wait for the return, clear: the month's whole work",
    ),
)


class _Version(argparse.Action):
    """Look the version up only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"taxctl {version('taxclient')}\n")
        parser.exit()


def _shared(default: str | None, say: Pick) -> argparse.ArgumentParser:
    """Options that may stand before or after the command; the second parser leaves unset ones alone."""

    def or_suppress(value: object) -> object:
        return value if default is None else default

    made = argparse.ArgumentParser(add_help=False, formatter_class=lines_of_100)
    endpoint = os.environ.get("TAXAGENT_ENDPOINT") or DEFAULT_ENDPOINT
    by = say("默认 $TAXAGENT_ENDPOINT", "default: $TAXAGENT_ENDPOINT")
    made.add_argument("--endpoint", default=or_suppress(endpoint), metavar=say("地址", "ENDPOINT"), help=by)
    made.add_argument(
        "--lang",
        choices=("zh", "en"),
        default=or_suppress(""),
        help=say("语言，默认按 $LANG", "default: by $LANG"),
    )
    made.add_argument(
        "--json",
        action="store_true",
        default=or_suppress(""),
        help=say("输出一个 JSON 对象", "one JSON object"),
    )
    made.add_argument(
        "--timeout",
        type=int,
        default=or_suppress(10),
        metavar=say("秒", "S"),
        help=say("每次应答的时限", "of each answer"),
    )
    return made


def _invoice_options(command: argparse.ArgumentParser, say: Pick) -> None:
    add = command.add_argument
    add(
        "code",
        nargs="?",
        default="",
        metavar=say("发票代码", "CODE"),
        help=say("10 或 12 位数字", "发票代码: 10 or 12 digits"),
    )
    add(
        "number",
        nargs="?",
        default="",
        metavar=say("发票号码", "NUMBER"),
        help=say("8 位数字", "发票号码: 8 digits"),
    )
    add(
        "--qr",
        default="",
        metavar=say("内容", "TEXT"),
        help=say("扫描得到的二维码内容", "the text of the QR code, as scanned"),
    )
    add(
        "--device",
        default="",
        metavar=say("设备编号", "DEVICE_NO"),
        help=say("默认全部已插入的设备", "default: all that are plugged"),
    )


def _work_options(command: argparse.ArgumentParser, say: Pick) -> None:
    add, seconds = command.add_argument, say("秒", "S")
    add(
        "device",
        nargs="?",
        default="",
        metavar=say("设备编号", "DEVICE_NO"),
        help=say("只有一台设备时可以省略", "may be left out where there is one device"),
    )
    add(
        "--type",
        action="append",
        default=[],
        metavar=say("票种", "TYPE"),
        help=say("例如 007；可重复", "invoice type, for example 007; repeatable"),
    )
    add(
        "--period",
        action="append",
        default=[],
        metavar=say("月份", "YYYY-MM"),
        help=say("已结束的月份，例如 2026-10；可重复", "closed month, for example 2026-10; repeatable"),
    )
    add(
        "--taxpayer",
        default="",
        metavar=say("纳税人识别号", "ID"),
        help=say("设备不属于这个纳税人时拒绝", "refuse unless the device is this taxpayer's"),
    )
    add(
        "--ref",
        default="",
        metavar=say("编号", "REF"),
        help=say("您的凭证编号，随任务保存", "your voucher number, stored with the job"),
    )
    add(
        "--late",
        action="store_true",
        help=say("征期之外办理，由技术员负责", "outside the filing window, on a technician's responsibility"),
    )
    add(
        "--prepare",
        action="store_true",
        help=say(
            "只显示将要做什么并给出确认码，什么也不做", "show what would be done and give a token; do nothing"
        ),
    )
    add(
        "--token",
        default="",
        metavar=say("确认码", "TOKEN"),
        help=say("--prepare 给出的确认码", "the token of --prepare"),
    )
    add(
        "--yes",
        action="store_true",
        help=say(
            "不询问：代理的配置中已授权", "do not ask: the agent's configuration holds a standing consent"
        ),
    )
    add("--no-wait", action="store_true", help=say("受理后立即返回", "return when the job is accepted"))
    add(
        "--patience",
        type=float,
        default=5.0,
        metavar=seconds,
        help=say("任务等待时最多守候多久", "stay so long with a job that waits"),
    )
    add(
        "--limit",
        type=float,
        default=None,
        metavar=seconds,
        help=say("最多跟踪多久", "follow the job for at most so long"),
    )


def _device_options(devices: Group) -> None:
    say = devices.say
    devices.add("list", "所有设备", "all devices")
    for action, zh, en in (
        ("get", "一台设备的全部情况", "all that is known of a device"),
        (
            "release",
            "代理不再使用设备，留给开票软件等其他程序",
            "leave a device to the invoicing program and others",
        ),
        ("hold", "代理重新使用设备", "use a released device again"),
        (
            "retry",
            "再试没有反应或已隔离的设备（技术人员）",
            "try a device that hung or is quarantined (for technicians)",
        ),
    ):
        command = devices.add(action, zh, en)
        command.add_argument("device", metavar=say("设备编号", "DEVICE_NO"))
        if action == "release":
            command.add_argument(
                "--minutes",
                type=int,
                default=0,
                metavar=say("分钟", "MIN"),
                help=say("过后自动收回；默认直到 hold", "used again afterwards; default: until hold"),
            )
        if action != "get":
            command.add_argument(
                "--key",
                default="",
                metavar=say("请求编号", "KEY"),
                help=say("重复同一个指令时用", "to repeat the very same order"),
            )


def _job_options(jobs: Group) -> None:
    say, name = jobs.say, jobs.say("任务编号", "JOB_ID")
    listing = jobs.add("list", "列出任务，最新的在前", "newest first")
    listing.add_argument(
        "--live", action="store_true", help=say("只列未结束的", "only those that have not ended")
    )
    _page_options(listing, say)
    for action, zh, en in (
        ("get", "显示一个任务", "show a job"),
        ("wait", "跟踪一个任务直到结束", "follow a job to its end"),
    ):
        command = jobs.add(action, zh, en)
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("job_id", nargs="?", default="", metavar=name)
        which.add_argument(
            "--key",
            default="",
            metavar=say("请求编号", "KEY"),
            help=say("提交请求时的编号", "the key that the request was sent under"),
        )
        if action == "wait":
            command.add_argument("--limit", type=float, default=None, metavar=say("秒", "S"))
    jobs.add("cancel", "停止一个任务", "stop a job").add_argument("job_id", metavar=name)
    jobs.add("resume", "让需要人工处理的任务继续", "let a job that needs a person go on").add_argument(
        "job_id", metavar=name
    )
    answering = jobs.add(
        "answer", "回答税务机关的验证码", "answer the verification code that the bureau asks for"
    )
    answering.add_argument("job_id", metavar=name)
    answering.add_argument(
        "answer",
        nargs="?",
        default="",
        metavar=say("答案", "ANSWER"),
        help=say("不填则在终端中询问", "default: ask at the terminal"),
    )
    answering.add_argument(
        "--image",
        default="",
        metavar=say("文件", "FILE"),
        help=say("把图片存到这里", "write the picture here"),
    )
    answering.add_argument(
        "--patience",
        type=float,
        default=5.0,
        metavar=say("秒", "S"),
        help=say("任务等待时最多守候多久", "stay so long with a job that waits"),
    )
    closing = jobs.add("close", "按现状结束需要人工处理的任务", "end a job that needs a person as it stands")
    closing.add_argument("job_id", metavar=name)
    closing.add_argument(
        "--reason",
        required=True,
        metavar=say("原因", "REASON"),
        help=say("写入任务的记录", "why; it stands in the job's record"),
    )


def _record_options(records: Group) -> None:
    name = records.say("任务编号", "JOB_ID")
    _page_options(records.add("list", "列出记录，最新的在前", "newest first"), records.say)
    records.add("get", "显示一份记录", "show a record").add_argument("job_id", metavar=name)
    records.add(
        "verify",
        "核对记录、它在日志中的各行和备份是否原样（退出码 1：不符）",
        "see whether a record, its journal rows and its back-ups are what they were (exit 1: not)",
    ).add_argument("job_id", metavar=name)


def _page_options(command: argparse.ArgumentParser, say: Pick) -> None:
    command.add_argument("--device", default="", metavar=say("设备编号", "DEVICE_NO"))
    command.add_argument(
        "--before",
        default="",
        metavar=say("任务编号", "JOB_ID"),
        help=say("这个任务之前的一页", "the page before this job"),
    )
    command.add_argument(
        "--number",
        type=int,
        default=50,
        metavar=say("行数", "N"),
        help=say("最多 500", "of lines, at most 500"),
    )
