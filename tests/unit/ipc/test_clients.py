"""The registry of clients is what the journal's rows make it, and the door's decisions follow it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import zmq

from taxagent.ipc.clients import Clients
from taxagent.ipc.curve import new_pair
from taxagent.ipc.tcp import TcpDoor, TcpSettings
from taxagent.ipc.zap import Knock
from taxagent.jobs.asks import Role
from taxagent.model.events import AnyEvent, ClientRefused, ClientRevoked, ClientRoleChanged, PairingClosed
from tests.builders.ipc import FakeClock
from tests.builders.journal import AT_MS, paired

ADMIN = "a" * 40
TILL = "k" * 40


def role(name: str = "till-1", to: str = "viewer", key: str = "r" * 16) -> ClientRoleChanged:
    return ClientRoleChanged(
        at_ms=AT_MS, name=name, role=to, principal="root", key=key, request_sha256="cd" * 32
    )


def revoked(name: str = "till-1") -> ClientRevoked:
    return ClientRevoked(at_ms=AT_MS, name=name, principal="root", key="v" * 16, request_sha256="cd" * 32)


def clients(*rows: AnyEvent) -> Clients:
    made = Clients(ADMIN)
    made.read(rows)
    return made


def test_a_paired_client_is_known_by_its_key_with_its_name_and_role() -> None:
    found = clients(paired()).counted(TILL)
    assert found is not None
    assert (found.principal.name, found.principal.role) == ("client:till-1", Role.OPERATOR)


def test_the_newest_role_counts() -> None:
    found = clients(paired(), role(to="admin"), role(to="viewer")).counted(TILL)
    assert found is not None
    assert found.principal.role is Role.VIEWER


def test_a_revoked_key_counts_no_more_and_is_still_known_as_whose_it_was() -> None:
    made = clients(paired(), revoked())
    assert made.counted(TILL) is None
    assert made.named("till-1") is None
    known = made.by_key(TILL)
    assert known is not None
    assert known.revoked_ms == AT_MS


def test_a_name_may_be_given_again_and_the_old_key_stays_out() -> None:
    made = clients(paired(), revoked(), paired(public_key="n" * 40))
    assert made.counted(TILL) is None
    fresh = made.counted("n" * 40)
    assert fresh is not None
    assert made.newest("till-1") == fresh


def test_each_client_is_counted_apart_from_every_process_and_the_others() -> None:
    made = clients(paired(), paired("till-2", "m" * 40))
    numbers = {one.number for one in made.all()} | {made.counted(ADMIN).number}  # type: ignore[union-attr]
    assert len(numbers) == 3
    assert min(numbers) > 0


def test_no_key_is_nobodys_not_the_agents_own() -> None:
    assert Clients("").counted("") is None
    assert clients().counted("") is None


def test_a_free_name_was_never_anybodys() -> None:
    assert clients().free_name() == "client-1"
    assert clients(paired("client-1"), revoked("client-1")).free_name() == "client-2"


class Rows:
    """A Journal that takes single rows at once."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def transact_soon(self, work: Callable[[Any], Any], done: Callable[[Any], None]) -> None:
        done(work(self))

    def append(self, event: Any) -> int:
        self.events.append(event)
        return len(self.events)


class AtOnce:
    """A Mailbox whose loop is the caller."""

    def post(self, item: Callable[[], None]) -> None:
        item()


@pytest.fixture
def door() -> Any:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    settings = TcpSettings(
        endpoint="tcp://127.0.0.1:1", events="tcp://127.0.0.1:2", server=new_pair(), admin_key=ADMIN
    )
    made = TcpDoor(settings, context, journal=Rows(), clock=FakeClock(), mailbox=AtOnce())  # type: ignore[arg-type]
    made.clients.read((paired(),))
    yield made
    context.destroy(linger=0)


def knock(key: str, address: str = "127.0.0.1") -> Knock:
    return Knock(address=address, public_key=key)


def refusals(door: TcpDoor) -> list[tuple[str, str]]:
    rows = door.journal.events  # type: ignore[attr-defined]
    return [(row.reason, row.public_key) for row in rows if isinstance(row, ClientRefused)]


def test_the_agents_own_key_counts_from_this_computer_alone(door: TcpDoor) -> None:
    assert door.admits(knock(ADMIN))
    assert door.admits(knock(ADMIN, "::1"))
    assert not door.admits(knock(ADMIN, "192.168.1.7"))
    assert not door.admits(knock(ADMIN, "nowhere"))
    assert door.admits(knock(TILL, "192.168.1.7"))
    assert refusals(door) == [("not_local", ADMIN)]


def test_a_refused_key_is_told_once_and_no_more_than_64_of_them(door: TcpDoor) -> None:
    for _ in range(3):
        for number in range(100):
            assert not door.admits(knock(f"{number:040d}"))
    assert len(refusals(door)) == 64
    assert len(set(refusals(door))) == 64


def test_nothing_is_written_before_the_journal_is_verified(door: TcpDoor) -> None:
    door.is_verified = lambda: False
    assert not door.admits(knock("s" * 40))
    assert refusals(door) == []


def test_a_revoked_key_is_refused_as_such_and_is_no_try(door: TcpDoor) -> None:
    door.take(revoked())
    door.pairing.opened("next", "viewer", "root", "k", 0)
    for _ in range(5):
        assert not door.admits(knock(TILL))
    assert door.pairing.window is not None
    assert refusals(door) == [("revoked", TILL)]


def test_a_program_that_was_refused_before_the_window_uses_up_no_try(door: TcpDoor) -> None:
    strangers = [f"{number:040d}" for number in range(5)]
    for each in strangers:
        assert not door.admits(knock(each))
    door.pairing.opened("next", "viewer", "root", "k", 0)
    for each in strangers:
        assert not door.admits(knock(each))
    assert door.pairing.window is not None


def test_the_third_wrong_code_is_a_row(door: TcpDoor) -> None:
    door.pairing.opened("next", "viewer", "root", "k", 0)
    for number in range(3):
        assert not door.admits(knock(f"{number:040d}"))
    rows = door.journal.events  # type: ignore[attr-defined]
    assert [row.how for row in rows if isinstance(row, PairingClosed)] == ["tries"]
    assert {reason for reason, _ in refusals(door)} == {"wrong_code"}


def test_no_row_and_no_print_has_a_secret(door: TcpDoor) -> None:
    window, code = door.pairing.opened("next", "viewer", "root", "k", 0)
    door.closed(window, "expired")
    secret = door.settings.server.secret
    written = b"".join(msgspec.json.encode(row) for row in door.journal.events)  # type: ignore[attr-defined]
    for text in (written.decode(), repr(window), repr(door.settings), repr(door.settings.server)):
        assert code not in text
        assert secret not in text
