"""The seam holds: the real agent settles a month through a driver that it has never seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from taxagent.device import drivers
from taxagent.host.secret_files import SecretFiles
from taxagent.model.errors import Refusal
from taxagent.simulator.site import Site
from taxclient.protocol import messages as m
from tests.builders.minimal_hardware import DEVICE_NO, PASSWORD, TAXPAYER_ID
from tests.builders.site import PERIOD, START, client, ended, identified, site

ROOT = Path(__file__).resolve().parents[2]
FACTORY = "tests.builders.minimal_driver:driver"


@pytest.fixture
def minimal_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of the second driver is there, here and in the processes that are started."""
    package = tmp_path / "minimal-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: minimal\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[taxagent.devices]\nminimal = {FACTORY}\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    monkeypatch.syspath_prepend(str(tmp_path))


def driven_by_minimal(shop: Site) -> None:
    """Have the site's configuration choose the second driver."""
    written = shop.config.read_text(encoding="utf-8")
    backend = next(line for line in written.splitlines() if line.startswith("backend ="))
    chosen = f'driver = "minimal"\nbackend = "memory:{START.partition("+")[0]}"'
    shop.config.write_text(written.replace(backend, chosen), encoding="utf-8")
    SecretFiles(shop.folder / "secrets").set(f"device-{DEVICE_NO}", PASSWORD)


@pytest.mark.usefixtures("minimal_is_installed")
def test_the_agent_settles_a_month_through_it() -> None:
    with site() as shop:
        driven_by_minimal(shop)
        shop.file_return(TAXPAYER_ID, PERIOD)
        shop.start_agent()
        with client(shop) as one:
            assert identified(one).device_no == DEVICE_NO
            token = one.prepare(m.PrepareArgs(kind="settle", device_no=DEVICE_NO)).token
            job = one.submit(m.SubmitArgs(kind="settle", device_no=DEVICE_NO, token=token)).job
            job = ended(one, job.job_id)
            assert (job.state, job.outcome) == ("done", "executed"), job.problem
            (kind,) = identified(one).types
            assert (kind.last_report, kind.invoicing_deadline) == ("2026-10-31", "2026-12-15")


@pytest.mark.usefixtures("minimal_is_installed")
def test_drivers_are_found_by_name() -> None:
    assert drivers.installed() == ("minimal", "tcdp")
    assert drivers.source("minimal", "memory").trouble() is None


@pytest.mark.usefixtures("minimal_is_installed")
def test_a_text_that_the_driver_does_not_take_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(Refusal) as refused:
        drivers.source("minimal", "libusb")
    assert (refused.value.fault, refused.value.detail["key"]) == ("CONFIG_INVALID", "usb.backend")


def test_a_driver_that_is_not_installed_is_named_with_those_that_are() -> None:
    with pytest.raises(Refusal) as refused:
        drivers.source("nobody", "libusb")
    assert refused.value.fault == "CONFIG_INVALID"
    assert refused.value.detail["key"] == "usb.driver"
    assert "tcdp" in refused.value.detail["expected"]
