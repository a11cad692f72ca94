"""The command `taxagent`: finds the command's file, runs it, and lets no traceback out.

A command's module has `add(subparsers)`, which declares it, and `run(args) -> exit code`. Only the module of
the command that was given is imported.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from taxagent import __version__
from taxagent.cli.screen import default_lang, exit_code, print_fault, speaking
from taxagent.cli.usage import spoken
from taxagent.model.errors import AgentError, AnswerLost, Refusal
from taxagent.model.faults import Lang


class Subparsers(Protocol):
    """What argparse's `add_subparsers` returns, as far as a command needs it."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser:
        """Declare a command."""


@dataclass(frozen=True)
class Command:
    """A row of the table of commands."""

    module: str
    zh: str
    en: str

    def help(self, lang: Lang) -> str:
        """Return the command's one line."""
        return self.zh if lang == "zh" else self.en


COMMANDS = {
    "run": Command("taxagent.cli.run", "运行代理", "run the agent"),
    "demo": Command(
        "taxagent.cli.demo",
        "用模拟设备和模拟税务机关演示一个月的办理",
        "show a month's work with a simulated device and bureau",
    ),
    "window": Command(
        "taxagent.cli.window",
        "征期和高峰时段，全年征期截止日",
        "filing window, peak hours, a year's deadlines",
    ),
    "why": Command(
        "taxagent.cli.why",
        "不经代理，直接读设备：为什么不能开票",
        "read the devices without an agent: why can no invoice be issued?",
    ),
    "setup": Command(
        "taxagent.cli.setup",
        "第一次安装：认设备、存密码、写配置",
        "first set-up: find the devices, store their passwords, write the configuration",
    ),
    "doctor": Command(
        "taxagent.cli.doctor",
        "检查代理需要的一切：USB、权限、目录、日志、证书、税务网关",
        "look at all that the agent needs: USB, permissions, folders, journal, certificates, gateway",
    ),
    "support-bundle": Command(
        "taxagent.cli.support_bundle",
        "把诊断信息打成一个压缩包，供技术人员发送",
        "gather what support needs in one archive, without secrets",
    ),
    "explain": Command(
        "taxagent.cli.explain", "说明故障代码、厂商代码或提示语", "explain a code or a prompt"
    ),
    "simulate": Command(
        "taxagent.cli.simulate", "运行模拟设备或模拟税务机关", "run a simulated device or bureau"
    ),
    "journal": Command("taxagent.cli.journal", "核对、查看、复制日志", "verify, show or copy the journal"),
    "service": Command(
        "taxagent.cli.service",
        "安装、卸载、查看系统服务",
        "install, uninstall or look at the system's service",
    ),
    "pair": Command(
        "taxagent.cli.pair",
        "发出配对码，让一个客户端通过 TCP 使用代理",
        "give out a code by which one client more may come by TCP",
    ),
    "clients": Command(
        "taxagent.cli.clients",
        "查看客户端、改变角色、吊销密钥",
        "list the paired clients, change a role, revoke a key",
    ),
    "secret": Command("taxagent.cli.secret", "保存设备密码", "store a device's password"),
}

_SAY = {
    "zh": {
        "about": "税控设备代理：抄报、申报核对、清卡",
        "lang": "语言",
        "version": "显示版本",
        "command": "命令",
    },
    "en": {
        "about": "The tax-control device agent: reports, waits for the return, clears",
        "lang": "language of the output",
        "version": "show the version",
        "command": "COMMAND",
    },
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code (0 done, 2 usage, 130 interrupted; else screen.exit_code)."""
    lang, words = _without_lang(list(sys.argv[1:] if argv is None else argv))
    json = "--json" in words
    try:
        with speaking(lang), spoken(lang):
            return _run(words, lang)
    except AgentError as error:
        print_fault(error, lang, json=json)
        return exit_code(error)
    except ImportError as error:
        lacking = Refusal("COMMAND_UNAVAILABLE", what=str(error))
        print_fault(lacking, lang, json=json)
        return exit_code(lacking)
    except PermissionError as error:
        barred = Refusal("PATH_SHUT", path=str(error.filename or ""), user=_user())
        print_fault(barred, lang, json=json)
        return exit_code(barred)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads: say nothing at exit
        return 141
    except Exception as error:  # noqa: BLE001 - the border: what is not foreseen becomes INTERNAL
        unforeseen = AnswerLost("INTERNAL", what=_where(error))
        print_fault(unforeseen, lang, json=json)
        return exit_code(unforeseen)


def _run(words: list[str], lang: Lang) -> int:
    parser = argparse.ArgumentParser(prog="taxagent", description=_SAY[lang]["about"])
    parser.add_argument("--version", action="version", version=__version__, help=_SAY[lang]["version"])
    parser.add_argument("--lang", choices=("zh", "en"), help=_SAY[lang]["lang"])
    subparsers = cast(
        "Subparsers", parser.add_subparsers(dest="command", required=True, metavar=_SAY[lang]["command"])
    )
    chosen = next((word for word in words if not word.startswith("-")), "")
    run: Callable[[argparse.Namespace], int] | None = None
    for name, command in COMMANDS.items():
        if name == chosen:
            module = _module(command)
            module.add(subparsers)
            run = module.run
        else:
            subparsers.add_parser(name, help=command.help(lang))
    args = parser.parse_args(words)
    args.lang = lang
    if run is None:
        raise Refusal("COMMAND_UNAVAILABLE", op=str(args.command))
    return run(args)


class _Module(Protocol):
    add: Callable[[Subparsers], None]
    run: Callable[[argparse.Namespace], int]


def _module(command: Command) -> _Module:
    return cast("_Module", importlib.import_module(command.module))


def _without_lang(words: list[str]) -> tuple[Lang, list[str]]:
    """Take `--lang zh|en` out, wherever it stands, so that usage errors are in that language as well."""
    lang, rest = default_lang(), list[str]()
    following = iter(words)
    for word in following:
        given = next(following, "") if word == "--lang" else word.removeprefix("--lang=")
        if not word.startswith("--lang"):
            rest.append(word)
        elif given in ("zh", "en"):
            lang = cast("Lang", given)
        else:
            rest += [word, given] if word == "--lang" else [word]
    return lang, rest


def _user() -> str:
    from taxagent.host.probes.users import own_user

    return own_user().name


def _where(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    last = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{last}"


if __name__ == "__main__":
    sys.exit(main())
