"""argparse in the reader's language: its headings and its errors are English alone. Knows no command."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from taxclient.cli.columns import width

_GETTEXT = "_"  # of argparse, private to it
_ZH = {
    "usage: ": "用法：",
    "options": "选项",
    "positional arguments": "参数",
    "show this help message and exit": "显示帮助",
    "%(prog)s: error: %(message)s\n": "%(prog)s：错误：%(message)s\n",
    "argument %(argument_name)s: %(message)s": "参数 %(argument_name)s：%(message)s",
    "the following arguments are required: %s": "缺少参数：%s",
    "one of the arguments %s is required": "以下参数需要给出一个：%s",
    "unrecognized arguments: %s": "不认识的参数：%s",
    "ambiguous option: %(option)s could match %(matches)s": "选项 %(option)s 不明确，可能是：%(matches)s",
    "expected one argument": "需要一个值",
    "expected at least one argument": "至少需要一个值",
    "expected at most one argument": "最多一个值",
    "ignored explicit argument %r": "不需要值：%r",
    "not allowed with argument %s": "不能与参数 %s 一起使用",
    "invalid choice: %(value)r (choose from %(choices)s)": "没有这个选择：%(value)r（可选：%(choices)s）",
    "invalid %(type)s value: %(value)r": "值的格式不对：%(value)r",
}


@contextmanager
def spoken(lang: str) -> Iterator[None]:
    """Have argparse speak Chinese, or its own English, in this process meanwhile."""
    before, words = getattr(argparse, _GETTEXT), _ZH if lang == "zh" else {}
    setattr(argparse, _GETTEXT, lambda text: words.get(text, text))
    try:
        yield
    finally:
        setattr(argparse, _GETTEXT, before)


def asked_for(argv: Sequence[str]) -> str:
    """Return what --lang says, "" where it is not given: its errors are told in that language as well."""
    for before, word in zip(("", *argv), argv, strict=False):
        choice = word.removeprefix("--lang=") if word.startswith("--lang=") else word
        if choice in ("zh", "en") and (before == "--lang" or choice != word):
            return choice
    return ""


def lines_of_100(prog: str) -> argparse.HelpFormatter:
    """Ask no terminal for its width: each option that is added would, and loads shutil for it (5 ms)."""
    return _Formatter(prog, width=100)


class _Formatter(argparse.HelpFormatter):
    """Columns by what a terminal shows: a Chinese character is two wide."""

    def format_help(self) -> str:
        return "\n".join(_aligned(line) for line in super().format_help().split("\n"))


def _aligned(line: str) -> str:
    if line.isascii():
        return line
    if line.endswith(":") and not line.startswith(" "):
        return f"{line[:-1]}："
    name, gap, text = line.rpartition("  ")
    names, wide = name.rstrip(), width(name.rstrip()) - len(name.rstrip())
    if not names or not wide:
        return line
    blanks = len(name) - len(names) + len(gap)
    return f"{names}{' ' * max(blanks - wide, 2)}{text}"
