"""`taxctl help terms`: the words of the trade, as this program uses them. Asks no agent."""

from __future__ import annotations

import argparse

from taxclient.cli import exits
from taxclient.cli.columns import Table
from taxclient.cli.screen import Screen
from taxclient.cli.words import Speech
from taxclient.sync import Client

_TERMS: tuple[tuple[str, str, str, str, str], ...] = (  # name, Chinese name, English, in Chinese, in English
    (
        "period",
        "所属期",
        "period",
        "一个自然月，写成 2026-10。设备总是按月办结。",
        "A calendar month, written 2026-10. A device always closes months.",
    ),
    (
        "seal",
        "抄税",
        "seal",
        "设备结束一个月并给出汇总密文。不可撤销；不删除任何发票。",
        "The device closes a month and gives out a sealed summary. Cannot be undone; nothing is deleted.",
    ),
    (
        "submit",
        "上报汇总",
        "submit",
        "把汇总密文交给税务机关。",
        "The sealed summary goes to the tax bureau.",
    ),
    ("report", "抄报", "report", "抄税加上报汇总。", "Seal and submit."),
    (
        "declare",
        "报税（申报）",
        "declare",
        "在电子税务局填报增值税申报表；不在设备上做，本程序也不代做，只向税务机关核对。",
        "The VAT return, filed at the e-tax bureau: not on the device, and not by this program, which asks.",
    ),
    (
        "clear",
        "清卡",
        "clear",
        "向税务机关领取清卡密文并写入设备，开票截止日期移到下个月。不删除任何发票。",
        "A clear ticket is fetched from the bureau and written; the lock date moves on. Nothing is deleted.",
    ),
    (
        "settle",
        "月结",
        "settle",
        "抄报，等申报完成，清卡：一个月的全部工作。",
        "Report, wait for the return, clear: the month's whole work.",
    ),
    (
        "lock date",
        "锁死日期（开票截止日期）",
        "lock date (invoicing deadline)",
        "设备时钟过了这一天而没有清卡，就不能再开票。征期临时延长不会移动它。",
        "Once the device's clock has passed it without a clear, no invoice can be issued.",
    ),
    (
        "last report",
        "最新报税日期",
        "last report",
        "设备上一次抄税报到哪一天。",
        "How far the device was sealed last.",
    ),
    (
        "filing window",
        "征期",
        "filing window",
        "每月 1 日到申报截止日，遇节假日顺延；taxctl window 显示。",
        "Day 1 to the filing deadline of a month, postponed by holidays; taxctl window shows it.",
    ),
    (
        "token",
        "确认码",
        "token",
        "确认一次具体的办理：显示之后十分钟内有效，只能用一次。",
        "Confirms one piece of work as it was shown: for ten minutes, once.",
    ),
    (
        "key",
        "请求编号",
        "key",
        "同一个请求的名字：用它再问一次得到同一个任务，不会重做。",
        "The name of a request: asked again under it, the same job is answered and nothing is done twice.",
    ),
    (
        "outcome",
        "结果",
        "outcome",
        "未执行、已执行、部分执行、待核实；“待核实”不等于失败。",
        "Not executed, executed, partly executed, unknown; unknown is not failed.",
    ),
)


def run(_: argparse.Namespace, __: Client, screen: Screen) -> int:
    """Show the terms."""
    screen.result({"terms": [{"term": row[0], "zh": row[3], "en": row[4]} for row in _TERMS]})
    screen.show([terms(screen.speech)])
    return exits.DONE


def terms(speech: Speech) -> Table:
    """A term a row: its name in both languages, and what it is."""
    zh = speech.lang == "zh"
    return Table([(row[1], row[0], row[3]) if zh else (row[2], row[1], row[4]) for row in _TERMS])
