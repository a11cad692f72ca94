"""taxctl's commands that work on a device, or look one of its invoices up: their lines and options."""

from __future__ import annotations

import argparse

from taxclient.cli.grammar import Pick

WORK = (
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


def invoice_options(command: argparse.ArgumentParser, say: Pick) -> None:
    """Declare by what an invoice is found."""
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


def work_options(command: argparse.ArgumentParser, say: Pick) -> None:
    """Declare the options of a command that makes a job."""
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
        metavar=say("发票类型", "TYPE"),
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
        "--quarter",
        default="",
        metavar=say("季度", "YYYYQN"),
        help=say("已结束的季度的三个月，例如 2026Q3", "a closed quarter's three months, for example 2026Q3"),
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
        help=say("任务在等条件时最多守候多久，默认 5 秒", "stay so long with one that waits, or 5 s"),
    )
    add(
        "--limit",
        type=float,
        default=None,
        metavar=seconds,
        help=say("最多跟踪多久，默认不限", "follow the job for at most so long; without it, to its end"),
    )
