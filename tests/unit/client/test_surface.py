"""The client's surface: a method for each op in both clients, typed, documented, and used as users do."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import taxclient
from taxclient import questions
from taxclient.aio import AsyncClient
from taxclient.protocol import errors
from taxclient.protocol import messages as m
from taxclient.sync import Client

ROOT = Path(__file__).parents[3]
TYPICAL = (ROOT / "tests/typing/api.py").read_text(encoding="utf-8")
PAGE = (ROOT / "docs/python-client.md").read_text(encoding="utf-8")
METHODS = {name: call for name, call in inspect.getmembers(Client, callable) if not name.startswith("_")}


def test_each_op_is_asked_by_a_question() -> None:
    asked = set(re.findall(r'Question\(\s*"([a-z.]+)"', inspect.getsource(questions)))
    assert asked == set(m.OPS)


@pytest.mark.parametrize("name", METHODS)
def test_both_clients_have_it_with_the_same_parameters_and_documented(name: str) -> None:
    ours, theirs = inspect.signature(METHODS[name]), inspect.signature(getattr(AsyncClient, name))
    assert ours.parameters.keys() == theirs.parameters.keys()
    assert inspect.getdoc(METHODS[name])
    if name not in ("close", "events"):
        assert ours.return_annotation == theirs.return_annotation


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"close"}))
def test_typical_code_uses_it_and_the_page_names_it(name: str) -> None:
    assert f"client.{name}(" in TYPICAL
    assert re.search(rf"`{name}\(", PAGE)


def test_every_argument_and_result_can_be_had_by_name() -> None:
    shapes = {op.result.__name__ for op in m.OPS.values()} | {op.args.__name__ for op in m.OPS.values()}
    plain = {"NoArgs", "JobArgs", "JobGetArgs", "JobWaitArgs", "JobCloseArgs", "JobAnswerArgs", "EventsArgs"}
    plain |= {"WindowArgs", "DiagnoseArgs", "DeviceArgs", "ReleaseArgs", "DrainArgs", "ExplainArgs"}
    assert shapes - plain - {"JobResult"} <= set(taxclient.__all__)  # the others are a method's parameters


def test_the_drawn_tree_is_the_tree_of_classes() -> None:
    drawn = re.findall(r"^[│ ]*[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE)
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
    ours = {kind.__name__ for kind in kinds if issubclass(kind, errors.ClientError)}
    assert sorted(drawn) == sorted(ours - {"ClientError"})
    tree = (errors.__doc__ or "").split("\n\n")[1]
    assert tree.strip() in PAGE
