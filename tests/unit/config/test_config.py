"""Every value of the configuration is checked; a complaint names the key and says what is allowed."""

from __future__ import annotations

import datetime as dt
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

from taxagent import config
from taxagent.cli.main import main
from taxagent.configured import rules_of
from taxagent.model.errors import Refusal
from taxagent.model.faults import Lang, text
from taxagent.model.job import JobKind

LEAST = {
    "agent": 'state_dir = "state"',
    "bureau": 'url = "https://gateway.example"\nca = "ca.pem"\ncertificate = "a.pem"\nkey = "a.key"',
}


def toml(**sections: str) -> str:
    """The least configuration with sections replaced or added; a `.` in a name is written `__`."""
    tables = {**LEAST, **sections}
    return "\n".join(f"[{name.replace('__', '.')}]\n{body}" for name, body in tables.items() if body)


def bureau(url: str) -> str:
    return LEAST["bureau"].replace("https://gateway.example", url)


def load(folder: Path, content: str) -> config.Settings:
    path = folder / "taxagent.toml"
    path.write_text(content, encoding="utf-8")
    return config.load(path)


def refused(folder: Path, content: str) -> dict[str, str]:
    with pytest.raises(Refusal) as caught:
        load(folder, content)
    assert caught.value.fault == "CONFIG_INVALID"
    return caught.value.detail


def test_the_least_configuration_has_sensible_values_for_the_rest(tmp_path: Path) -> None:
    settings = load(tmp_path, toml())
    assert settings.file.agent.language == "zh"
    assert settings.file.ipc.endpoint == "ipc:///run/taxagent/agent.sock"
    assert settings.file.usb.backend == "libusb"
    assert settings.simulation is None


def test_relative_paths_are_taken_from_the_files_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(tmp_path, toml(secrets='directory = "/run/secrets"'))
    monkeypatch.chdir(tmp_path)
    settings = config.load(Path("taxagent.toml"))
    assert settings.state_dir == tmp_path / "state"
    assert settings.secrets_dir == Path("/run/secrets")
    assert settings.file.bureau.ca == str(tmp_path / "ca.pem")
    assert settings.file.bureau.certificate == str(tmp_path / "a.pem")
    assert settings.file.bureau.key == str(tmp_path / "a.key")


def test_what_is_written_is_what_is_meant(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        toml(
            access__users='"1000" = "operator"',
            windows="report_until_hour = 17",
            windows__overrides='"2026-11" = 2026-11-18',
            consent='kinds = ["settle"]\nprincipals = ["shop"]',
            device='hold = "always"\ngrace_s = 5\nrestart_if_hung = "never"',
            simulation='clock = "2026-11-03T09:30:00+08:00@1795561200000x60"',
        ),
    )
    file = settings.file
    assert file.access.users == {"1000": "operator"}
    assert file.windows.overrides == {"2026-11": dt.date(2026, 11, 18)}
    assert file.consent.kinds == (JobKind.SETTLE,)
    assert (file.device.hold, file.device.grace_s, file.device.restart_if_hung) == ("always", 5.0, "never")
    assert settings.simulation is not None
    assert settings.simulation.rate == 60


LANGS: tuple[Lang, ...] = get_args(Lang)
WRONG: list[tuple[str, str, str]] = [
    ("agent", toml(agent=""), ""),
    ("agent.state_dir", toml(agent='language = "en"'), ""),
    ("agent.state_dir", toml(agent="state_dir = 7"), ""),
    ("agent.state_dir", toml(agent='state_dir = ""'), ""),
    ("agent.statedir", toml(agent='state_dir = "x"\nstatedir = "y"'), "state_dir, language, log_level"),
    ("device.hold", toml(device='hold = "never"'), "while_working, always"),
    ("device.restart_if_hung", toml(device='restart_if_hung = "yes"'), "under_systemd, always, never"),
    ("device.grace_s", toml(device="grace_s = 0"), ""),
    ("agent.language", toml(agent='state_dir = "x"\nlanguage = "fr"'), "zh, en"),
    ("agent.log_level", toml(agent='state_dir = "x"\nlog_level = "loud"'), "debug, info, warning, error"),
    ("bureau", toml(bureau=""), ""),
    ("bureau.url", toml(bureau=bureau("http://gateway.example")), "https://"),
    ("bureau.url", toml(bureau=bureau("https://")), "https://HOST"),
    ("bureau.url", toml(bureau=bureau("https://host:99999")), "https://HOST"),
    ("bureau.url", toml(bureau=bureau("https://me:secret@host")), "without user"),
    ("bureau.url", toml(bureau=bureau("https://host/?a=b")), "without user, query"),
    ("bureau.key", toml(bureau='url = "https://h"\nca = "a"\ncertificate = "b"'), ""),
    ("ipc.endpoint", toml(ipc='endpoint = "tcp://127.0.0.1:7000"'), "ipc://"),
    ("ipc.endpoint", toml(ipc='endpoint = "ipc://relative.sock"'), "absolute"),
    ("ipc.endpoint", toml(ipc=f'endpoint = "ipc:///{"a" * 100}"'), "100 bytes"),
    ("ipc.endpoint", toml(ipc=f'endpoint = "ipc:///{"税" * 34}"'), "100 bytes"),
    ("usb.backend", toml(usb='backend = "winusb"'), "libusb"),
    ("usb.backend", toml(usb='backend = "usbip://host"'), "usbip://HOST:PORT"),
    ("usb.backend", toml(usb='backend = "usbip://host:99999"'), "usbip://HOST:PORT"),
    ("usb.backend", toml(usb='backend = "usbip://host:1?control=x"'), "control=PORT"),
    ("access.users.shop", toml(access__users='shop = "owner"'), "operator"),
    ("access.groups.shop", toml(access__groups="shop = 3"), "operator"),
    ("access.users", toml(access__users='"" = "admin"'), "name or uid"),
    ("access.roles", toml(access__roles='shop = "admin"'), "users, groups"),
    ("windows.overrides.2026-13", toml(windows__overrides='"2026-13" = 2026-12-15'), "yyyy-mm"),
    ("windows.overrides.2026-11", toml(windows__overrides='"2026-11" = 2026-12-15'), "a day of 2026-11"),
    ("windows.overrides.2026-11", toml(windows__overrides='"2026-11" = "soon"'), "yyyy-mm-dd"),
    ("windows.report_until_hour", toml(windows="report_until_hour = 25"), ""),
    ("windows.report_until_hour", toml(windows='report_until_hour = "24:00"'), ""),
    ("consent.kinds", toml(consent='kinds = ["erase"]'), "report, clear, settle"),
    ("consent.kinds", toml(consent='kinds = ["check"]'), "report, clear, settle"),
    ("consent.principals", toml(consent='principals = "shop"'), "a list"),
    ("secrets.directory", toml(secrets="directory = false"), ""),
    ("patience.bureau_s", toml(patience="bureau_s = 0"), ""),
    ("patience.most_s", toml(patience="most_s = nan"), ""),
    ("patience.in_use_s", toml(patience="in_use_s = 1e9"), ""),
    ("simulation.clock", toml(simulation='clock = "tomorrow"'), "START@ORIGIN_MSxRATE"),
    ("simulation.clock", toml(simulation='clock = "2026-11-03T09:30:00@1x1"'), "START@ORIGIN_MSxRATE"),
    ("simulation.clock", toml(simulation="rate = 1"), ""),
    ("devicez", toml(devicez="x = 1"), "agent, bureau, ipc"),
    ("ipc", "ipc = 3\n" + toml(), ""),
]


@pytest.mark.parametrize("key, content, allowed", WRONG, ids=[f"{row[0]}-{n}" for n, row in enumerate(WRONG)])
def test_a_wrong_value_is_named_by_its_key_with_what_is_allowed(
    tmp_path: Path, key: str, content: str, allowed: str
) -> None:
    facts = refused(tmp_path, content)
    if "rate = 1" not in content:
        assert facts["key"] == key
    assert allowed in facts.get("expected", "")
    assert facts.get("what") or facts.get("expected")


def test_the_words_show_the_key_the_value_and_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        load(tmp_path, toml(agent='state_dir = "x"\nlanguage = "fr"'))
    told = text(caught.value.problem(), "en")
    for fact in (str(tmp_path / "taxagent.toml"), "agent.language", "fr"):
        assert fact in told.cause
    assert "zh, en" in told.remedy


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="CONFIG_MISSING") as caught:
        config.load(tmp_path / "nowhere.toml")
    assert caught.value.detail["path"] == str(tmp_path / "nowhere.toml")
    for lang in LANGS:
        told = text(caught.value.problem(), lang)
        assert "taxagent setup" in told.remedy
        assert "--config" in told.remedy


IN_CHINESE = [
    (toml(agent='state_dir = "x"\nlog = 1'), ("agent.log", "没有这个键", "state_dir, language, log_level")),
    (toml(agent="state_dir = 7"), ("agent.state_dir", "现为 7", "加引号的文字，不能为空")),
    (toml(windows="report_until_hour = 25"), ("windows.report_until_hour", "现为 25", "1 ... 24")),
    (toml(patience='bureau_s = "soon"'), ("patience.bureau_s", "现为 soon", "0.05 ... 86400")),
    (toml(device='hold = "never"'), ("device.hold", "现为 never", "while_working, always")),
    (toml(agent='language = "zh"'), ("agent.state_dir", "缺少这个键", "加引号的文字")),
    (toml(access__groups="shop = 3"), ("access.groups.shop", "现为 3", "用户组名 =")),
    (toml(devices__x="y = 1"), ("devices", "一个列表")),
    (toml(windows__regional__Jinan='"2026-11" = "soon"'), ("windows.regional.Jinan.2026-11", "yyyy-mm-dd")),
    ("[agent]\nstate_dir x", (".toml:2:", "不是有效的 TOML")),
]


@pytest.mark.parametrize("content, facts", IN_CHINESE, ids=[row[1][0] for row in IN_CHINESE])
def test_a_complaint_is_in_our_words_with_key_value_and_what_is_allowed(
    tmp_path: Path, content: str, facts: tuple[str, ...]
) -> None:
    with pytest.raises(Refusal) as caught:
        load(tmp_path, content)
    told = text(caught.value.problem(), "zh")
    for fact in facts:
        assert fact in told.cause + told.remedy
    for word in ("Expected", "Object", "Invalid", "got `"):
        assert word not in told.cause + told.remedy


def test_what_is_known_of_devices_is_checked_as_well(tmp_path: Path) -> None:
    rows = '\n[[devices]]\ndevice_no = "661700000011"\ncycle = "quarter"\n'
    (row,) = load(tmp_path, toml() + rows).file.devices
    assert (row.taxpayer_id, row.cycle) == ("", "quarter")
    for wrong, key in (
        (rows + rows, "devices.device_no"),
        (rows.replace("quarter", "year"), "devices.cycle"),
        (rows.replace("661700000011", "6617"), "devices.device_no"),
        (rows + 'taxpayer_id = "91370102MA3CXK7T45"\n', "devices.taxpayer_id"),
    ):
        assert refused(tmp_path, toml() + wrong)["key"] == key


def test_the_deadlines_of_the_region_count_and_no_others(tmp_path: Path) -> None:
    days = '\n[windows.regional.A]\n"2026-11" = 2026-11-20\n[windows.regional.B]\n"2026-11" = 2026-11-25\n'
    windows = load(tmp_path, toml(windows='region = "A"') + days).file.windows
    assert rules_of(windows).overrides == {"2026-11": dt.date(2026, 11, 20)}
    assert refused(tmp_path, toml(windows='region = "C"') + days)["expected"] == "A, B"


@pytest.mark.parametrize("content", [b"[agent", b"\xff\xfe\x00", "state = 税控\n".encode("gbk")])
def test_what_is_no_toml_in_utf_8_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "taxagent.toml"
    path.write_bytes(content)
    with pytest.raises(Refusal) as caught:
        config.load(path)
    assert caught.value.detail["what"]


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="CONFIG_INVALID"):
        config.load(tmp_path)


def test_the_mark_of_an_editor_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "taxagent.toml"
    path.write_bytes(b"\xef\xbb\xbf" + toml().encode())
    assert config.load(path).state_dir == tmp_path / "state"


def test_run_without_a_configuration_says_so_and_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "taxagent.toml"
    assert main(["run", "--config", str(missing), "--lang", "en"]) == 2
    assert str(missing) in capsys.readouterr().err


def test_run_without_its_certificates_says_which_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(tmp_path, toml())
    (tmp_path / "ca.pem").write_bytes(b"")
    assert main(["run", "--config", str(tmp_path / "taxagent.toml"), "--lang", "en"]) == 2
    said = capsys.readouterr().err
    assert "bureau.certificate" in said
    assert str(tmp_path / "a.pem") in said


@pytest.mark.parametrize("value", ["1" + "0" * 5000, "[" * 5000 + "]" * 5000], ids=["digits", "depth"])
def test_what_is_too_large_for_the_reader_is_refused_like_what_is_no_toml(tmp_path: Path, value: str) -> None:
    assert refused(tmp_path, f"x = {value}")["what"] == "not_toml"


def test_the_example_is_in_the_wheel() -> None:
    assert files("taxagent").joinpath("taxagent.example.toml").is_file()


@pytest.mark.parametrize(
    "address, taken",
    [
        ("tcp://127.0.0.1:8470", True),
        ("tcp://127.0.0.2:8470", True),
        ("tcp://[::1]:8470", True),
        ("tcp://0.0.0.0:8470", False),
        ("tcp://192.168.1.7:8470", False),
        ("tcp://[::]:8470", False),
    ],
)
def test_a_door_beyond_this_computer_must_be_said_twice(tmp_path: Path, address: str, taken: bool) -> None:
    assert load(
        tmp_path, toml(door__tcp=f'listen = "{address}"\nbeyond_loopback = true')
    ).file.door.tcp.listen
    if taken:
        assert load(tmp_path, toml(door__tcp=f'listen = "{address}"')).file.door.tcp.listen == address
    else:
        assert refused(tmp_path, toml(door__tcp=f'listen = "{address}"'))["key"] == "door.tcp.listen"
        assert refused(tmp_path, toml(door__tcp=f'events = "{address}"'))["key"] == "door.tcp.events"


@pytest.mark.parametrize(
    "listen",
    [
        "127.0.0.1:8470",
        "tcp://*:8470",
        "tcp://localhost:8470",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:65535",
        "tcp://127.0.0.1:99999",
        "ipc:///x",
        "tcp://300.0.0.1:1",
        "tcp://1.2.3.4:5/x",
    ],
)
def test_what_is_no_address_of_a_door_is_refused(tmp_path: Path, listen: str) -> None:
    found = refused(tmp_path, toml(door__tcp=f'listen = "{listen}"'))
    assert (found["key"], found["found"]) == ("door.tcp.listen", listen)
