"""`taxagent pair`: let one client more come by TCP; shows the one-time code, its only appearance anywhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.main import COMMANDS
from taxagent.cli.screen import default_lang, print_json
from taxagent.host.here import config_file

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers

ROLES = ("viewer", "operator", "technician", "admin")

_SAY = {
    "zh": {
        "name": "客户端名称；默认由代理取",
        "role": "客户端的角色；默认 operator",
        "config": "配置文件",
        "json": "输出一个 JSON 对象",
        "code": "配对码：{code}",
        "for": "客户端 {name}，角色 {role}；5 分钟内有效，只能用一次，最多输错 2 次",
        "then": "在客户端运行：taxctl pair",
        "elsewhere": "找不到 endpoint.json 时：taxctl pair --endpoint {endpoint} --server-key '{server_key}'",
    },
    "en": {
        "name": "the client's name; default: the agent finds one",
        "role": "the client's role; default: operator",
        "config": "the configuration",
        "json": "one JSON object",
        "code": "code: {code}",
        "for": "for client {name}, role {role}; it counts once, for 5 minutes; the third wrong try ends it",
        "then": "at the client: taxctl pair",
        "elsewhere": "without endpoint.json: taxctl pair --endpoint {endpoint} --server-key '{server_key}'",
    },
}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    say = _SAY[default_lang()]
    parser = subparsers.add_parser("pair", help=COMMANDS["pair"].help(default_lang()))
    parser.add_argument("--name", default="", help=say["name"])
    parser.add_argument("--role", choices=ROLES, default="operator", help=say["role"])
    parser.add_argument("--json", action="store_true", help=say["json"])
    parser.add_argument("--config", type=Path, default=config_file(), metavar="FILE", help=say["config"])


def run(args: argparse.Namespace) -> int:
    """Open the pairing and show its code."""
    from taxagent.cli.asking import asked
    from taxagent.model.errors import Refusal
    from taxclient import FrameError

    lang = default_lang()
    try:
        opened = asked(args.config, lang, lambda client: client.open_pairing(args.name, args.role))
    except FrameError as error:  # a name out of form: nothing was sent
        raise Refusal("BAD_REQUEST", field="name", what="form_client_name") from error
    if args.json:
        print_json(opened)
        return 0
    facts = {
        "code": opened.code,
        "name": opened.name,
        "role": opened.role,
        "endpoint": opened.endpoint,
        "server_key": opened.server_key,
    }
    for line in ("code", "for", "then", "elsewhere"):
        print(_SAY[lang][line].format_map(facts))
    return 0
