"""What only Linux has: who holds a device, the unit, who keeps the clock, who may enter, and a slow probe."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from taxagent.host.probes import asking, entrance, holders, nodes, places, software, timekeeping, unit
from taxagent.host.probes.findings import all_looked
from taxagent.host.probes.users import People, group_name
from taxagent.model import checks
from taxagent.model.checks import made
from taxagent.model.lines import CheckLine, CheckState
from taxagent.model.usb import Recognised, SeenDevice
from tests.builders.probes import ME, STRANGER, cases

PORT = "1-2"


def device(recognised: Recognised = Recognised.PROFILE) -> tuple[SeenDevice, ...]:
    """The one device of a bus, at port 1-2, address 7."""
    return (
        SeenDevice(
            location=f"usb:{PORT}#7", vendor_id=0x1209, product_id=7, recognised=recognised, name="a disk"
        ),
    )


def driven(root: Path, driver: str) -> None:
    """Have a first process, and a driver bound to the device, with usb-storage's sg and disk nodes."""
    process(root, 1, "systemd")
    interface = root / "sys/bus/usb/devices" / f"{PORT}:1.0"
    (root / "sys/bus/usb/drivers" / driver).mkdir(parents=True)
    interface.mkdir(parents=True)
    (interface / "driver").symlink_to(root / "sys/bus/usb/drivers" / driver)
    for node in ("scsi_generic/sg3", "block/sdb"):
        (root / f"sys/bus/usb/devices/{PORT}/{PORT}:1.0/host5/target5:0:0/5:0:0:0" / node).mkdir(parents=True)


def process(root: Path, pid: int, name: str, *opened: str) -> Path:
    """Have a process that has files open."""
    folder = root / f"proc/{pid}"
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    for number, path in enumerate(opened):
        (folder / "fd" / str(number)).symlink_to(path)
    return folder


def held(root: Path, recognised: Recognised = Recognised.PROFILE, agent_pid: int = 0) -> list[CheckLine]:
    return list(holders.held(lambda: device(recognised), agent_pid, root))


# ---- who holds a device


def test_the_kernels_driver_is_named_and_is_no_trouble(tmp_path: Path) -> None:
    driven(tmp_path, "usb-storage")
    (line,) = held(tmp_path)
    assert (line.code, line.state, line.facts["driver"]) == ("KERNEL_DRIVER", CheckState.OK, "usb-storage")


@pytest.mark.parametrize("node", ["/dev/bus/usb/001/007", "/dev/sg3", "/dev/sdb"])
def test_a_program_at_any_of_its_nodes_is_named_with_its_pid(tmp_path: Path, node: str) -> None:
    driven(tmp_path, "usb-storage")
    process(tmp_path, 41, "mouse", "/dev/bus/usb/001/003")
    process(tmp_path, 42, "invoicing", "/dev/null", node)
    _, line = held(tmp_path)
    assert (line.code, line.facts["pid"], line.facts["program"], line.facts["node"]) == (
        "HELD_BY_PROGRAM",
        "42",
        "invoicing",
        node,
    )
    assert "42" in checks.text(line, "zh").fact
    assert cases(held(tmp_path, Recognised.VENDOR)) == ["KERNEL_DRIVER_VENDORS", "HELD_VENDORS"]


def test_the_agent_itself_is_no_rival(tmp_path: Path) -> None:
    driven(tmp_path, "usbfs")
    process(tmp_path, 42, "taxagent", "/dev/bus/usb/001/007")
    process(tmp_path, os.getpid(), "taxagent", "/dev/bus/usb/001/007")
    assert cases(held(tmp_path, agent_pid=42)) == ["HELD_BY_AGENT", "HELD_BY_AGENT"]


def test_who_cannot_be_seen_without_rights_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driven(tmp_path, "usbfs")
    assert cases(held(tmp_path)) == ["HELD_GONE"]
    process(tmp_path, 43, "secretive")
    shut(monkeypatch, tmp_path / "proc/43/fd")
    unseen, hidden = held(tmp_path)
    assert (unseen.code, unseen.state) == ("HELD_UNSEEN", CheckState.WARN)
    assert (hidden.code, hidden.state, hidden.facts["count"]) == (
        "HOLDERS_HIDDEN",
        CheckState.NOT_ASKED,
        "1",
    )


def shut(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let a folder be another user's, for root too."""
    listing = Path.iterdir

    def iterdir(self: Path) -> object:
        if self == folder:
            raise PermissionError(13, "Permission denied", str(folder))
        return listing(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)


def test_where_the_unit_hides_the_processes_of_others_that_is_said(tmp_path: Path) -> None:
    process(tmp_path, 42, "taxagent")
    nobody, hidden = held(tmp_path)
    assert (nobody.code, hidden.code, hidden.facts) == ("HELD_BY_NONE", "HOLDERS_HIDDEN", {})
    assert checks.text(hidden, "en").fact.startswith("Processes of other users cannot")


def test_a_device_that_nobody_has_is_told_and_a_simulated_one_is_left_out(tmp_path: Path) -> None:
    process(tmp_path, 1, "systemd")
    assert cases(held(tmp_path)) == ["HELD_BY_NONE"]
    assert held(tmp_path, Recognised.OTHER) == []
    assert nodes.place_of("usbip:1-1#1") is None


# ---- the unit


def service(root: Path, *rows: str) -> list[CheckLine]:
    (root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
    return list(unit.service(lambda _: "\n".join(("LoadState=loaded", *rows)), root))


@pytest.mark.parametrize(
    ("rows", "case"),
    [
        (("ActiveState=active", "SubState=running", "NRestarts=0"), "UNIT_RUNS"),
        (("ActiveState=active", "NRestarts=3"), "UNIT_RESTARTED"),
        (("ActiveState=inactive", "Result=success", "ExecMainStatus=0"), "UNIT_STOPPED"),
        (("ActiveState=activating", "SubState=start"), "UNIT_CHANGING"),
        (("ActiveState=failed", "Result=exit-code", "ExecMainStatus=2"), "UNIT_FAILED_CONFIG"),
        (("ActiveState=failed", "Result=exit-code", "ExecMainStatus=75"), "UNIT_FAILED_SECOND"),
        (("ActiveState=failed", "Result=exit-code", "ExecMainStatus=203"), "UNIT_FAILED_PROGRAM"),
        (("ActiveState=failed", "Result=exit-code", "ExecMainStatus=216"), "UNIT_FAILED_USER"),
        (("ActiveState=failed", "Result=exit-code", "ExecMainStatus=71"), "UNIT_FAILED"),
        (("ActiveState=failed", "Result=signal", "ExecMainStatus=9"), "UNIT_FAILED"),
        (("ActiveState=failed", "Result=signal", "ExecMainStatus=2"), "UNIT_FAILED"),
        (("ActiveState=failed", "Result=watchdog", "ExecMainStatus=6"), "UNIT_FAILED_WATCHDOG"),
        (("ActiveState=failed", "Result=start-limit-hit"), "UNIT_FAILED_LIMIT"),
        (("ActiveState=failed", "Result=oom-kill"), "UNIT_FAILED_MEMORY"),
        (("ActiveState=failed", "Result=timeout"), "UNIT_FAILED_TIMEOUT"),
        (
            ("ActiveState=activating", "SubState=auto-restart", "Result=exit-code", "ExecMainStatus=71"),
            "UNIT_FAILED",
        ),
    ],
)
def test_each_state_and_last_exit_of_the_unit_has_its_own_line(
    tmp_path: Path, rows: tuple[str, ...], case: str
) -> None:
    assert cases(service(tmp_path, *rows)) == [case]


def test_a_unit_that_is_not_there_masked_or_not_started_at_boot_is_told(tmp_path: Path) -> None:
    assert cases(unit.service(lambda _: "", tmp_path)) == ["NO_SYSTEMD"]
    assert cases(service(tmp_path, "LoadState=not-found")) == ["UNIT_NOT_INSTALLED"]
    assert cases(service(tmp_path, "LoadState=masked")) == ["UNIT_MASKED"]
    off = service(tmp_path, "ActiveState=active", "UnitFileState=disabled")
    assert cases(off) == ["UNIT_RUNS", "UNIT_NOT_ENABLED"]


def mute(command: Sequence[str]) -> str:
    raise TimeoutError(110, "timed out", command[0])


def test_a_systemd_that_does_not_answer_is_not_known(tmp_path: Path) -> None:
    service(tmp_path)
    (line,) = unit.service(mute, tmp_path)
    assert (line.code, line.state, line.facts["what"]) == (
        "UNIT_NOT_ASKED",
        CheckState.UNKNOWN,
        "timed out",
    )
    assert "超时" in checks.text(line, "zh").fact


def test_commands_are_bounded_and_say_how_they_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asking.asked(("echo", "A=1")) == "A=1\n"
    with pytest.raises(FileNotFoundError):
        asking.asked(("no-such-command",))
    with pytest.raises(OSError, match="exit code 1"):
        asking.asked(("false",))
    monkeypatch.setattr(asking, "LIMIT_S", 0.05)
    with pytest.raises(TimeoutError):
        asking.asked(("tail", "-f", "/dev/null"))


# ---- the clock


def clocked(root: Path, *rows: str, now_ms: int = 1_000_000) -> list[str]:
    (root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
    return cases(timekeeping.kept(now_ms, lambda _: "\n".join(rows), root))


def test_who_keeps_the_clock_is_told(tmp_path: Path) -> None:
    assert cases(timekeeping.kept(0, mute, tmp_path)) == ["NTP_NO_SYSTEMD"]
    assert clocked(tmp_path, "NTP=yes", "NTPSynchronized=yes") == ["NTP_KEPT"]
    assert clocked(tmp_path, "NTP=no", "NTPSynchronized=yes") == ["NTP_KEPT"]  # chrony, or the host's
    assert clocked(tmp_path, "NTP=yes", "NTPSynchronized=no") == ["NTP_NOT_YET"]
    assert clocked(tmp_path, "NTP=no", "NTPSynchronized=no") == ["NTP_OFF"]
    assert cases(timekeeping.kept(0, mute, tmp_path)) == ["NTP_NOT_ASKED"]


def test_the_boards_clock_is_compared_unless_it_keeps_local_time(tmp_path: Path) -> None:
    board = tmp_path / "sys/class/rtc/rtc0/since_epoch"
    board.parent.mkdir(parents=True)
    board.write_text("1060\n")
    assert clocked(tmp_path, "NTPSynchronized=yes")[1:] == ["RTC_AGREES"]
    board.write_text("4600\n")
    assert clocked(tmp_path, "NTPSynchronized=yes")[1:] == ["RTC_APART"]
    assert clocked(tmp_path, "NTPSynchronized=yes", "LocalRTC=yes")[1:] == []
    board.write_text("broken")
    assert clocked(tmp_path, "NTPSynchronized=yes")[1:] == []


# ---- who may come in


class Village(People):
    """wang and li in the group taxagent, zhao in sales."""

    groups: dict[str, tuple[str, ...]] = {"taxagent": ("wang", "li"), "sales": ("zhao",), "empty": ()}

    def named(self, name: str) -> str:
        return {"0": "root", "1000": "wang"}.get(name, name if name in ("wang", "li", "zhao") else "")

    def members(self, group: str) -> tuple[str, ...] | None:
        return self.groups.get(group)


def entering(
    users: dict[str, str], groups: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> list[CheckLine]:
    monkeypatch.setattr(entrance, "group_name", lambda _: "taxagent")
    return list(entrance.members(users, groups, folder, Village()))


def test_the_people_behind_a_role_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o750)
    group, user = entering({"1000": "admin"}, {"taxagent": "operator"}, tmp_path, monkeypatch)
    assert (group.code, group.facts["names"], group.facts["role"]) == (
        "ACCESS_GROUP",
        "wang, li",
        "operator",
    )
    assert (user.code, user.subject) == ("ACCESS_USER", "wang")
    assert "操作员" in checks.text(group, "zh").fact
    (empty,) = entering(
        {"nobody-here": "admin"}, {"empty": "viewer", "gone": "viewer"}, tmp_path, monkeypatch
    )
    assert empty.code == "ACCESS_GROUP_EMPTY"


def test_a_role_without_the_sockets_group_is_no_way_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o750)
    *_, line = entering({"wang": "admin"}, {"sales": "viewer"}, tmp_path, monkeypatch)
    assert (line.code, line.facts["names"]) == ("ACCESS_SHUT_OUT", "zhao")
    assert "usermod -aG taxagent zhao" in checks.text(line, "en").remedy
    tmp_path.chmod(0o755)
    assert "ACCESS_SHUT_OUT" not in cases(entering({}, {"sales": "viewer"}, tmp_path, monkeypatch))
    gone = tmp_path / "none"
    assert "ACCESS_SHUT_OUT" not in cases(entering({}, {"sales": "viewer"}, gone, monkeypatch))


def test_the_systems_own_people_are_asked() -> None:
    assert People().named("0") == "root"
    assert "root" in (People().members(group_name(0)) or ())
    assert People().members("no-such-group") is None
    assert group_name(54_321) == "54321"


# ---- the socket and the disk


def test_a_socket_that_this_user_may_not_use_is_no_absent_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        path.chmod(0o660)

        def denied(_: object, __: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(socket.socket, "connect", denied)
        (line,) = places.door(path, ME, STRANGER)
    assert (line.code, line.facts["user"], line.facts["mode"]) == ("SOCKET_SHUT", "stranger", "0660")
    assert f"usermod -aG {line.facts['group']} stranger" in checks.text(line, "en").remedy


def test_a_folder_that_this_user_may_not_enter_is_no_absent_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(self: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "lstat", denied)
    (line,) = places.door(tmp_path / "a.sock", ME, STRANGER)
    assert (line.code, line.facts["path"]) == ("SOCKET_SHUT", str(tmp_path))


@pytest.mark.parametrize(
    ("flags", "files", "left", "case"),
    [
        (os.ST_RDONLY, 5000, 5000, "DISK_READ_ONLY"),
        (0, 5000, 10, "DISK_NO_FILES"),
        (0, 0, 0, "DISK_OK"),
        (0, 5000, 4000, "DISK_OK"),
    ],
)
def test_a_disk_that_is_read_only_or_out_of_inodes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: int, files: int, left: int, case: str
) -> None:
    real = os.statvfs(tmp_path)
    row = (*real[:5], files, left, left, flags, real[9])
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(row))
    assert cases(places.disk(tmp_path, lambda _: 1 << 40)) == [case]


# ---- software


def test_libraries_and_the_kernel_stand_with_the_versions() -> None:
    (line,) = software.versions(lambda _: "1.0", {"libusb": "1.0.26", "libzmq": ""})
    assert "libusb 1.0.26" in line.facts["names"]
    assert "libzmq -" in line.facts["names"]
    assert os.uname().release in line.facts["names"]


# ---- time


def test_a_probe_that_hangs_is_a_line_and_keeps_nobody_waiting() -> None:
    never = threading.Event()

    def hangs() -> list[CheckLine]:
        never.wait(30)
        return []

    slow, quick = all_looked(
        {"journal": hangs, "clock": lambda: [made("clock", "CLOCK_OK", now="now")]}, limit_s=0.1
    )
    never.set()
    assert (slow.line, slow.code, slow.state) == ("journal", "PROBE_HUNG", CheckState.UNKNOWN)
    assert quick.code == "CLOCK_OK"


def test_the_order_is_that_of_the_probes_not_of_their_ends() -> None:
    first = threading.Event()

    def waits() -> list[CheckLine]:
        first.wait(10)
        return [made("usb", "NO_DEVICE")]

    def quick() -> list[CheckLine]:
        first.set()
        return [made("clock", "CLOCK_OK")]

    assert cases(all_looked({"usb": waits, "clock": quick})) == ["NO_DEVICE", "CLOCK_OK"]
    assert all_looked({}, 0) == ()
