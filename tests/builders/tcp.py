"""A TCP door for tests: free ports, its part of a configuration, and raw sockets that knock at it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from taxagent.ipc.curve import new_pair
from taxagent.ipc.tcp import TcpSettings
from taxagent.simulator.site import Site
from taxclient.protocol import keyfile
from tests.builders.ipc import House, house
from tests.builders.journal import paired


def free_ports(number: int = 2) -> list[int]:
    """Ports of loopback that nobody has just now."""
    taken = [socket.socket() for _ in range(number)]
    try:
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in taken]
    finally:
        for each in taken:
            each.close()


def door_config() -> str:
    """The table of a configuration that opens the door."""
    listen, events = free_ports()
    return f'[door.tcp]\nlisten = "tcp://127.0.0.1:{listen}"\nevents = "tcp://127.0.0.1:{events}"\n'


def published(shop: Site) -> keyfile.Published:
    """What the agent's endpoint.json says."""
    return keyfile.published((shop.folder / "run" / keyfile.ENDPOINT_FILE).read_bytes())


def fresh_key(at: keyfile.Published, server_key: str = "") -> keyfile.KeyFile:
    """A key that no agent knows."""
    public, secret = zmq.curve_keypair()
    return keyfile.KeyFile(
        name="stranger",
        endpoint=at.endpoint,
        server_key=server_key or at.server_key,
        public_key=public.decode(),
        secret_key=secret.decode(),
    )


@contextmanager
def knocking(
    endpoint: str, key: keyfile.KeyFile | None, kind: int = zmq.DEALER
) -> Iterator[zmq.Socket[bytes]]:
    """A raw socket at the door; without a key it is plain. It sends into its queue, whoever is there."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made = context.socket(kind)
    made.setsockopt(zmq.LINGER, 0)
    if key is not None:
        made.setsockopt(zmq.CURVE_SERVERKEY, key.server_key.encode())
        made.setsockopt(zmq.CURVE_PUBLICKEY, key.public_key.encode())
        made.setsockopt(zmq.CURVE_SECRETKEY, key.secret_key.encode())
    made.connect(endpoint)
    try:
        yield made
    finally:
        context.destroy(linger=0)


def key_at(folder: Path, key: keyfile.KeyFile) -> Path:
    """The key as a file that its owner alone may read."""
    path = folder / "key.json"
    path.write_text(keyfile.text_of(key), encoding="utf-8")
    path.chmod(0o600)
    return path


@contextmanager
def house_with_door(
    folder: Path, role: str = "operator", **more: Any
) -> Iterator[tuple[House, keyfile.KeyFile]]:
    """A loop with a door, and the key of the one client that it has."""
    listen, events = free_ports()
    server, admin = new_pair(), new_pair()
    settings = TcpSettings(
        endpoint=f"tcp://127.0.0.1:{listen}",
        events=f"tcp://127.0.0.1:{events}",
        server=server,
        admin_key=admin.public,
    )
    at = keyfile.Published(endpoint=settings.endpoint, events=settings.events, server_key=server.public)
    key = fresh_key(at)
    with house(folder, tcp=settings, **more) as made:
        made.inside(lambda: made.tcp.clients.take(paired("till-1", key.public_key, role)))  # type: ignore[union-attr]
        yield made, key
