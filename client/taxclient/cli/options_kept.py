"""taxctl's groups of commands: devices, jobs, records, and the options of each."""

from __future__ import annotations

import argparse

from taxclient.cli.grammar import Group, Pick


def device_options(devices: Group) -> None:
    """Declare what is done with devices."""
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


def job_options(jobs: Group) -> None:
    """Declare what is done with jobs."""
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
            command.add_argument(
                "--limit",
                type=float,
                default=None,
                metavar=say("秒", "S"),
                help=say("最多等多久，默认不限", "wait for at most so long; without it, to its end"),
            )
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
        help=say("任务在等条件时最多守候多久，默认 5 秒", "stay so long with one that waits, or 5 s"),
    )
    closing = jobs.add("close", "按现状结束需要人工处理的任务", "end a job that needs a person as it stands")
    closing.add_argument("job_id", metavar=name)
    closing.add_argument(
        "--reason",
        required=True,
        metavar=say("原因", "REASON"),
        help=say("写入任务的记录", "why; it stands in the job's record"),
    )


def record_options(records: Group) -> None:
    """Declare what is done with records."""
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
