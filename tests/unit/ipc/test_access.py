"""Who may what: the kernel's word of the peer, the configured table, and no guess where either is silent."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import zmq

from taxagent.ipc.access import FRESH_S, KEPT, Access, AccessTable, Peer, SystemAccounts, peer_of
from taxagent.ipc.endpoint import checked_path
from taxagent.jobs.asks import Principal, Role
from taxagent.model.errors import AgentError
from taxclient.conversation import Conversation
from taxclient.protocol import messages as m
from taxclient.protocol.errors import NotAllowed
from taxclient.sync import Client
from tests.builders.ipc import DEVICE, KEY, house, job, peer

ANNA = Peer(uid=1001, gid=100, pid=5)


class Town:
    """Accounts of a small town."""

    def __init__(self, name: str = "anna", groups: tuple[str, ...] = ("users", "tax")) -> None:
        self.name, self.groups = name, groups

    def name_of(self, uid: int) -> str:
        return self.name

    def groups_of(self, name: str, gid: int) -> tuple[str, ...]:
        return self.groups


class Everyone(Access):
    """All peers are one principal."""

    def __init__(self, role: Role | None) -> None:
        super().__init__(AccessTable())
        self.role = role

    def resolve(self, peer: Peer) -> Principal | None:
        return Principal(name="anna", role=self.role) if self.role else None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "127.0.0.1",
        "1:2:3",
        ":1:2:3",
        "fe80::1:0:0:5",
        "localhost:0:0:x",
        "localhost:-1:0:5",
        "localhost:٠:0:5",
        "a:localhost:0:0:5",
    ],
)
def test_an_address_of_another_form_is_nobody(text: str) -> None:
    assert peer_of(text) is None


def test_the_kernel_says_who_the_peer_is(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            router = context.socket(zmq.ROUTER)
            router.bind(f"ipc://{tmp_path}/other")
            socket.connect(f"ipc://{tmp_path}/other")
            socket.send(b"x")
            socket.send(b"x")  # one to each
            frame = router.recv(copy=False)
            found = peer_of(str(frame.get("Peer-Address")))
        finally:
            context.destroy(linger=0)
        assert found == Peer(uid=os.getuid(), gid=os.getgid(), pid=os.getpid())


@pytest.mark.parametrize(
    "table, town, expected",
    [
        (AccessTable(users={"anna": Role.OPERATOR}), Town(), ("anna", Role.OPERATOR)),
        (AccessTable(users={"1001": Role.VIEWER}), Town(), ("uid:1001", Role.VIEWER)),
        (AccessTable(groups={"tax": Role.TECHNICIAN}), Town(), ("uid:1001", Role.TECHNICIAN)),
        (
            AccessTable(groups={"tax": Role.VIEWER, "users": Role.OPERATOR}),
            Town(),
            ("uid:1001", Role.OPERATOR),
        ),
        (
            AccessTable(users={"anna": Role.VIEWER}, groups={"tax": Role.ADMIN}),
            Town(),
            ("anna", Role.VIEWER),
        ),
        (AccessTable(groups={"other": Role.ADMIN}), Town(), None),
        (AccessTable(), Town(), None),
        (AccessTable(users={"": Role.ADMIN}), Town("", ()), None),
    ],
)
def test_roles_come_from_the_table(table: AccessTable, town: Town, expected: tuple[str, Role] | None) -> None:
    found = Access(table, own_uid=500, accounts=town).resolve(ANNA)
    assert (found and (found.name, found.role)) == expected


def test_root_and_the_agents_own_user_are_admin() -> None:
    access = Access(AccessTable(users={"0": Role.VIEWER}), own_uid=1001, accounts=Town("", ()))
    for uid in (0, 1001):
        assert access.resolve(Peer(uid=uid, gid=0, pid=1)) == Principal(name=f"uid:{uid}", role=Role.ADMIN)


def test_a_role_is_remembered_for_a_minute_and_not_for_everyone() -> None:
    access = Access(AccessTable(), own_uid=1)
    access.remember(ANNA, None, 0.0)
    assert access.known(ANNA, FRESH_S) == (None,)
    assert access.known(ANNA, FRESH_S + 1) is None
    for uid in range(KEPT + 10):
        access.remember(Peer(uid=uid, gid=0, pid=1), None, 0.0)
    assert access.known(Peer(uid=0, gid=0, pid=1), 0.0) is None


def test_a_new_table_holds_at_once_for_who_was_known_as_well() -> None:
    access = Access(AccessTable(users={"anna": Role.ADMIN}), own_uid=1, accounts=Town())
    access.remember(ANNA, access.resolve(ANNA), 0.0)
    access.renew(AccessTable(users={"anna": Role.VIEWER}))
    assert access.known(ANNA, 0.0) is None
    assert access.resolve(ANNA) == Principal(name="anna", role=Role.VIEWER)


def test_the_system_knows_root() -> None:
    accounts = SystemAccounts()
    assert accounts.name_of(0) == "root"
    assert accounts.groups_of("root", 0)
    assert accounts.name_of(2**31 - 5) == ""
    assert accounts.groups_of("", 2**31 - 5) == ()


def test_a_peer_without_a_role_is_turned_away(tmp_path: Path) -> None:
    with house(tmp_path, Everyone(None)) as h, Client(h.endpoint) as client:
        for ask in (client.hello, client.status):
            with pytest.raises(NotAllowed):
                ask()


def test_a_peer_inside_the_process_is_nobody_too(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        socket = h.mailbox.context.socket(zmq.DEALER)
        socket.setsockopt(zmq.RCVTIMEO, 5000)
        socket.connect("inproc://taxagent")
        conversation = Conversation()
        call = conversation.begin("status", m.NoArgs(), now_ms=h.clock.now_ms, ttl_ms=1000)
        socket.send_multipart(call.frames)
        with pytest.raises(NotAllowed):
            conversation.match(call, socket.recv_multipart())
        socket.close(linger=0)


@pytest.mark.parametrize(
    "role, late, allowed",
    [
        (Role.VIEWER, False, False),
        (Role.OPERATOR, False, True),
        (Role.OPERATOR, True, False),
        (Role.TECHNICIAN, True, True),
    ],
)
def test_an_op_needs_its_role(tmp_path: Path, role: Role, late: bool, allowed: bool) -> None:
    args = m.SubmitArgs(device_no=DEVICE, kind="settle", late=late)
    with house(tmp_path, Everyone(role)) as h, Client(h.endpoint) as client:
        if allowed:
            assert client.submit(args, key=KEY).job.principal == "anna"
        else:
            with pytest.raises(NotAllowed):
                client.submit(args, key=KEY)
        assert client.status().version == "0.1.0"


def test_a_known_key_is_answered_though_the_role_was_taken_away(tmp_path: Path) -> None:
    with house(tmp_path, Everyone(Role.VIEWER)) as h, Client(h.endpoint) as client:
        known = job(principal="anna")
        h.desk.jobs = h.reader.kept = {known.job_id: known}
        answer = client.submit(m.SubmitArgs(device_no=DEVICE, kind="settle"), key=KEY)
        assert (answer.known, answer.job.job_id) == (True, known.job_id)


def test_the_sockets_are_for_the_owner_and_the_group_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o750)
    before = os.umask(0)
    try:
        with house(folder):
            modes = [stat.S_IMODE(place.stat().st_mode) for place in folder.iterdir()]
            assert modes == [0o660, 0o660]
    finally:
        os.umask(before)


def test_the_directory_is_made_private(tmp_path: Path) -> None:
    before = os.umask(0o077)  # the agent's own; the group must reach the door all the same
    try:
        checked_path(f"ipc://{tmp_path}/new/agent.sock")
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o750


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://127.0.0.1:5000",
        "ipc://relative.sock",
        "ipc://@abstract",
        "ipc:///tmp/" + "x" * 120,
        "inproc://x",
    ],
)
def test_an_endpoint_that_is_no_private_path_is_refused(endpoint: str) -> None:
    with pytest.raises(AgentError, match="CONFIG_INVALID"):
        checked_path(endpoint)


def test_what_others_can_write_or_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "agent.sock"
    precious.write_text("not a socket")
    with pytest.raises(AgentError, match="CONFIG_INVALID"):
        checked_path(f"ipc://{precious}")
    assert precious.read_text() == "not a socket"
    tmp_path.chmod(0o777)
    with pytest.raises(AgentError, match="CONFIG_INVALID"):
        checked_path(f"ipc://{tmp_path}/fresh.sock")


def test_the_path_of_a_dead_agent_is_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with house(tmp_path) as h, Client(h.endpoint) as client:
            assert client.hello().protocol == "TCA/1"
