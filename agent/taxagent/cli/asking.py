"""How a command of `taxagent` asks the running agent: by ipc, or by the agent's own key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

    from taxclient import Client

R = TypeVar("R")


def asked(config: Path, lang: str, ask: Callable[[Client], R]) -> R:
    """Return what `ask` gets of the agent of that configuration.

    Raises Refusal: AGENT_ABSENT where none answers, NOT_ALLOWED where this user may not ask, what the agent
    itself says, and what reading the configuration raises.
    """
    from taxagent import config as configuration
    from taxagent.ipc.curve import has_ipc
    from taxagent.model.errors import AnswerLost, Refusal
    from taxagent.tcp_keys import admin_file, listen_of
    from taxclient import AgentUnavailable, AuthError, Client, RemoteError, Timeout

    settings = configuration.load(config)
    ipc = has_ipc()
    endpoint = settings.file.ipc.endpoint if ipc else listen_of(settings, has_ipc=ipc)
    try:
        with Client(endpoint, key_file="" if ipc else admin_file(settings), lang=lang) as client:
            return ask(client)
    except RemoteError as error:
        kind = AnswerLost if error.outcome == "unknown" and error.code != "NOT_ALLOWED" else Refusal
        raise kind(error.code, **error.detail) from error
    except AuthError as error:
        raise Refusal("NOT_ALLOWED", op=error.path or error.endpoint) from error
    except AgentUnavailable as error:
        raise Refusal("AGENT_ABSENT", path=endpoint) from error
    except Timeout as error:
        raise AnswerLost("AGENT_ABSENT", path=endpoint) from error
