"""taxctl's command line: its commands, in Chinese or English. Runs nothing."""

from __future__ import annotations

import argparse
import sys

from taxclient.cli.grammar import Group, shared
from taxclient.cli.options_kept import device_options, job_options, record_options
from taxclient.cli.options_work import WORK, invoice_options, work_options
from taxclient.cli.usage import lines_of_100


def parser(lang: str) -> argparse.ArgumentParser:
    """Return the command line in a language."""

    def say(zh: str, en: str) -> str:
        return zh if lang == "zh" else en

    top = argparse.ArgumentParser(
        prog="taxctl",
        description=say("税控设备代理的命令行客户端", "Ask the tax-control device agent."),
        parents=[shared(None, say)],
        formatter_class=lines_of_100,
    )
    top.add_argument(
        "--version", action=_Version, nargs=0, help=say("显示版本", "print the version and exit")
    )
    _reading(Group(top, "command", say("命令", "COMMAND"), "taxctl", say))
    return top


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
    invoice_options(
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
    for name, zh, en in WORK:
        work_options(commands.add(name, zh, en), say)
    device_options(
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
    job_options(
        commands.below(commands.add("job", "任务", "list, show, follow or stop jobs"), "action", "taxctl job")
    )
    record_options(
        commands.below(commands.add("record", "办理记录", "clearing records"), "action", "taxctl record")
    )
    pair = commands.add(
        "pair",
        "用管理员给的配对码得到这台客户端的密钥",
        "get a key for this client by a one-time code (the administrator gets it by taxagent pair)",
    )
    pair.add_argument(
        "--server-key",
        default="",
        metavar=say("公钥", "KEY"),
        help=say("代理的公钥；默认见 endpoint.json", "the agent's public key; default: in its endpoint.json"),
    )
    pair.add_argument(
        "--key-file",
        default="",
        metavar=say("文件", "FILE"),
        help=say("密钥存到哪里；默认在用户目录", "where the key is stored; default: in this user's folder"),
    )
    commands.add(
        "drain",
        "停止代理：不再接受新的办理，正在办理的走到安全点（管理员）",
        "stop the agent: no new work, what runs comes to a safe point (for its administrator)",
    )


class _Version(argparse.Action):
    """Look the version up only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"taxctl {version('taxclient')}\n")
        parser.exit()
