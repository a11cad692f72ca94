"""`taxagent clients list|role|revoke`: who comes by TCP with a key of its own."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from taxagent.cli.main import COMMANDS
from taxagent.cli.pair import ROLES
from taxagent.cli.screen import default_lang, print_json, print_table
from taxagent.host.here import config_file

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers
    from taxagent.model.faults import Lang
    from taxclient import Client, ClientResult, ClientsResult
    from taxclient.protocol.messages import ClientView

_SAY = {
    "zh": {
        "list": "列出配对过的客户端",
        "role": "改变客户端的角色，下一个请求起生效",
        "revoke": "吊销客户端的密钥，下一个请求起生效",
        "name": "客户端名称",
        "config": "配置文件",
        "json": "输出一个 JSON 对象",
        "columns": "名称|角色|配对时间|吊销时间|公钥",
        "none": "没有配对过的客户端",
        "pairing": "{name} 的配对码在 {until} 前有效",
        "is": "{name}：{state}",
        "revoked": "已吊销",
    },
    "en": {
        "list": "list the clients that were ever paired",
        "role": "give a client another role, from its next request on",
        "revoke": "take a client's key away, from its next request on",
        "name": "the client's name",
        "config": "the configuration",
        "json": "one JSON object",
        "columns": "name|role|paired|revoked|public key",
        "none": "no client was ever paired",
        "pairing": "a code for {name} counts until {until}",
        "is": "{name}: {state}",
        "revoked": "revoked",
    },
}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    say = _SAY[default_lang()]
    parser = subparsers.add_parser("clients", help=COMMANDS["clients"].help(default_lang()))
    actions = parser.add_subparsers(dest="action", required=True)
    for action in ("list", "role", "revoke"):
        command = actions.add_parser(action, help=say[action])
        if action != "list":
            command.add_argument("name", help=say["name"])
        if action == "role":
            command.add_argument("role", choices=ROLES)
        command.add_argument("--json", action="store_true", help=say["json"])
        command.add_argument(
            "--config",
            type=Path,
            default=config_file(),
            metavar="FILE",
            help=say["config"],
        )


def run(args: argparse.Namespace) -> int:
    """Ask the agent, and show what it says."""
    from taxagent.cli.asking import asked
    from taxagent.model.errors import Refusal
    from taxclient import FrameError

    lang = default_lang()
    try:
        if args.action == "list":
            _listed(asked(args.config, lang, lambda client: client.clients()), lang, json=args.json)
        else:
            _changed(asked(args.config, lang, lambda client: _change(client, args)), lang, json=args.json)
    except FrameError as error:
        raise Refusal("BAD_REQUEST", field="name", what="form_client_name") from error
    return 0


def _change(client: Client, args: argparse.Namespace) -> ClientResult:
    if args.action == "role":
        return client.set_client_role(args.name, args.role)
    return client.revoke_client(args.name)


def _listed(found: ClientsResult, lang: Lang, *, json: bool) -> None:
    if json:
        print_json(found)
        return
    say = _SAY[lang]
    if found.clients:
        print_table([say["columns"].split("|"), *(_row(one, lang) for one in found.clients)])
    else:
        print(say["none"])
    if found.pairing:
        print(say["pairing"].format(name=found.pairing, until=_moment(found.pairing_until_ms)))


def _changed(found: ClientResult, lang: Lang, *, json: bool) -> None:
    from taxagent.model.words import word

    if json:
        print_json(found)
        return
    one = found.client
    state = _SAY[lang]["revoked"] if one.revoked_ms else word("role", one.role, lang)
    print(_SAY[lang]["is"].format(name=one.name, state=state))


def _row(one: ClientView, lang: Lang) -> tuple[str, ...]:
    from taxagent.model.words import word

    role = word("role", one.role, lang)
    revoked = _moment(one.revoked_ms) if one.revoked_ms else "-"
    return (one.name, role, _moment(one.paired_ms), revoked, one.public_key)


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%d %H:%M")
