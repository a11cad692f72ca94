"""The help of `taxagent simulate` in Chinese, by its English: the simulator itself knows no language."""

from __future__ import annotations

import argparse

from taxagent.model.faults import Lang

_ZH = {
    "run simulated devices on a USB/IP server": "在 USB/IP 服务器上运行模拟设备",
    "send an order to running simulated devices or bureau": "向运行中的模拟设备或模拟税务机关发指令",
    "run a simulated tax bureau (HTTPS gateway)": "运行模拟税务机关（HTTPS 网关）",
    "file a VAT return at the simulated bureau": "向模拟税务机关申报增值税",
    "TOML file, one a device": "场景文件（TOML），每台设备一个",
    "where the devices' memory lives; without it nothing is kept": "设备存储所在的目录；不给则不保留",
    "begin anew, as the scenarios say": "按场景文件重新开始",
    "allow addresses other than this machine's: USB/IP has no password": (
        "允许本机以外的地址：注意 USB/IP 没有密码"
    ),
    "its name and KEY=VALUE words, or one JSON object in quotes": (
        "指令名和若干 KEY=VALUE，或引号中的一个 JSON 对象"
    ),
    "where its state, log and certificates live": "状态、日志和证书所在的目录",
    "default: any": "默认：任意",
    "files each quarter": "按季申报",
    "TOML: devices, conditions, calendar (docs/simulator.md)": (
        "TOML：设备、条件、日历（docs/simulator.md）"
    ),
    "what the bureau makes of it (default: accepted)": "税务机关的处理结果（默认：accepted）",
}
_EPILOG = (
    "例如：show；unplug device=1-1；clock device=661700000011 advance_s=3600；"
    "对税务机关：set refuses_login=true。"
    "全部指令见 docs/simulator.md；不认识的指令会列出全部指令。"
)


def speak(parser: argparse.ArgumentParser, lang: Lang) -> None:
    """Have a parser, and those below it, help in the language."""
    if lang == "en":
        return
    if parser.epilog:
        parser.epilog = _EPILOG
    for action in parser._actions:  # noqa: SLF001 - argparse gives its actions no other way
        action.help = _ZH.get(action.help or "", action.help)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for choice in action._choices_actions:  # noqa: SLF001
                choice.help = _ZH.get(choice.help or "", choice.help)
            for below in action.choices.values():
                speak(below, lang)
