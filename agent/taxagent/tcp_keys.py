"""What the TCP door needs of the disk: the agent's key pairs, made once, and the file that tells where it is.

Part of the composition root: it knows settings, files and keys, and no socket.
"""

from __future__ import annotations

from pathlib import Path

from taxagent.config import Settings
from taxagent.host.secret_files import read_private, write_private, write_public
from taxagent.ipc.curve import KeyPair, new_pair
from taxagent.ipc.tcp import TcpSettings
from taxagent.model.errors import Refusal
from taxclient.protocol import keyfile
from taxclient.protocol.errors import ProtocolError

DEFAULT_LISTEN = "tcp://127.0.0.1:8470"  # where there is no ipc
_FOLDER, _SERVER, _ADMIN = "door", "server.json", "admin.json"


def listen_of(settings: Settings, *, has_ipc: bool) -> str:
    """Return where the TCP door is, "" where there is none."""
    return settings.file.door.tcp.listen or ("" if has_ipc else DEFAULT_LISTEN)


def admin_file(settings: Settings) -> Path:
    """Return the key file by which the agent's own commands come, for who may read the state directory."""
    return settings.state_dir / _FOLDER / _ADMIN


def endpoint_file(settings: Settings, *, has_ipc: bool) -> Path:
    """Return where endpoint.json is: as configured, beside the ipc socket, or beside the configuration."""
    configured = settings.file.door.tcp.endpoint_file
    if configured:
        return settings.path.parent / configured
    beside = Path(settings.file.ipc.endpoint.removeprefix("ipc://")) if has_ipc else settings.path
    return beside.with_name(keyfile.ENDPOINT_FILE)


def tcp_settings(settings: Settings, *, has_ipc: bool) -> TcpSettings | None:
    """Return the door's settings, its keys made where they lack; None where there is no door.

    Raises Refusal: SECRET_EXPOSED, SECRET_STORE_UNUSABLE.
    """
    listen = listen_of(settings, has_ipc=has_ipc)
    if not listen:
        return None
    server = _server(settings.state_dir / _FOLDER / _SERVER, listen)
    return TcpSettings(
        endpoint=listen,
        events=settings.file.door.tcp.events or _next_port(listen),
        server=server,
        admin_key=_admin(admin_file(settings), listen, server),
    )


def publish(settings: Settings, tcp: TcpSettings, *, has_ipc: bool) -> None:
    """Write endpoint.json, whole or not at all. Raises Refusal("SECRET_STORE_UNUSABLE")."""
    shown = keyfile.Published(endpoint=tcp.endpoint, events=tcp.events, server_key=tcp.server.public)
    write_public(endpoint_file(settings, has_ipc=has_ipc), keyfile.text_of(shown))


def _server(path: Path, listen: str) -> KeyPair:
    kept = _kept(path)
    if kept is not None:
        return KeyPair(public=kept.public_key, secret=kept.secret_key)
    pair = new_pair()
    _keep(path, "server", listen, pair.public, pair)
    return pair


def _admin(path: Path, listen: str, server: KeyPair) -> str:
    kept = _kept(path)
    if kept is not None and kept.server_key == server.public and kept.endpoint == listen:
        return kept.public_key
    pair = new_pair()
    _keep(path, "admin", listen, server.public, pair)
    return pair.public


def _kept(path: Path) -> keyfile.KeyFile | None:
    text = read_private(path)
    if text is None:
        return None
    try:
        return keyfile.key_file(text.encode())
    except ProtocolError as error:
        raise Refusal("SECRET_STORE_UNUSABLE", path=str(path), what=str(error)) from error


def _keep(path: Path, name: str, listen: str, server_key: str, pair: KeyPair) -> None:
    file = keyfile.KeyFile(
        name=name,
        endpoint=listen,
        server_key=server_key,
        public_key=pair.public,
        secret_key=pair.secret,
    )
    write_private(path, keyfile.text_of(file))


def _next_port(listen: str) -> str:
    host, _, port = listen.rpartition(":")
    return f"{host}:{int(port) + 1}"
