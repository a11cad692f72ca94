"""Key files and where an agent is found."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from taxclient import keys, places
from taxclient.caller import DEFAULT_ENDPOINT
from taxclient.protocol import keyfile
from taxclient.protocol.errors import AuthError, ProtocolError

AT = "tcp://127.0.0.1:8470"
KEY = keyfile.KeyFile(
    name="till-1", endpoint=AT, server_key="s" * 40, public_key="p" * 40, secret_key="x" * 40
)


def test_a_key_is_stored_for_its_owner_alone_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "till.json"
    keys.store(path, KEY)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert keys.load(AT, path) == KEY
    assert [each.name for each in path.parent.iterdir()] == ["till.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "till.json"
    keys.store(path, KEY)
    path.chmod(mode)
    with pytest.raises(AuthError) as refused:
        keys.load(AT, path)
    assert (refused.value.reason, refused.value.path) == ("key_file", str(path))


@pytest.mark.parametrize(
    "change", [{"format": "taxagent-key/2"}, {"secret_key": "short"}, {"endpoint": "ipc:///x"}]
)
def test_a_file_of_another_form_is_refused_and_its_secret_is_in_no_message(change: dict[str, str]) -> None:
    text = keyfile.text_of(msgspec.structs.replace(KEY, **change))
    with pytest.raises(ProtocolError) as refused:
        keyfile.key_file(text.encode())
    assert "x" * 10 not in str(refused.value)
    assert "x" * 10 not in repr(KEY)


def test_no_key_is_an_auth_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(AuthError) as refused:
        keys.load(AT, tmp_path / "none.json")
    assert refused.value.reason == "no_key"


def test_each_agent_has_its_own_file() -> None:
    home = {"XDG_CONFIG_HOME": "/somewhere/config"}
    assert keys.path_for(AT, home) == Path("/somewhere/config/taxagent/keys/127.0.0.1_8470.json")
    assert keys.path_for("tcp://[::1]:8470", home).name == "--1_8470.json"
    assert keys.path_for(AT, {**home, "TAXAGENT_KEY_FILE": "/x/k"}) == Path("/x/k")


def test_the_environment_is_asked_first_and_endpoint_json_where_there_is_no_socket(tmp_path: Path) -> None:
    file = tmp_path / "endpoint.json"
    said = keyfile.Published(endpoint=AT, events="tcp://127.0.0.1:8471", server_key="s" * 40)
    file.write_text(keyfile.text_of(said), encoding="utf-8")
    environment = {"TAXAGENT_ENDPOINT_FILE": str(file)}
    assert places.endpoint({**environment, "TAXAGENT_ENDPOINT": "ipc:///x"}) == "ipc:///x"
    socket = Path(DEFAULT_ENDPOINT.removeprefix("ipc://")).exists()
    assert places.endpoint(environment) == (DEFAULT_ENDPOINT if socket else AT)
    assert places.published(environment) == said
    file.write_text("{}", encoding="utf-8")
    assert places.published(environment) is None
    assert places.endpoint(environment) == DEFAULT_ENDPOINT
