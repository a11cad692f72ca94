"""Udev's news wake the watch of the bus; where there are none to be had it is looked at each second."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxagent.device import libusb_host
from taxagent.device.libusb_host import LibusbHost
from taxagent.device.uevents import Uevents, uevents
from tests.builders.usb_bus import FakeBackend

USB = b"libudev\0\xfe\xed\xca\xfe\0ACTION=add\0SUBSYSTEM=usb\0DEVTYPE=usb_device\0"
DISK = b"libudev\0\xfe\xed\xca\xfe\0ACTION=add\0SUBSYSTEM=block\0"


@pytest.fixture
def udev() -> Iterator[tuple[socket.socket, Uevents]]:
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    news = Uevents(receiver)
    with sender:
        yield sender, news
    news.close()


def test_a_usb_device_that_comes_or_goes_is_news_and_a_disk_is_not(
    udev: tuple[socket.socket, Uevents],
) -> None:
    sender, news = udev
    sender.send(USB)
    assert news.wait(5.0)
    sender.send(DISK)
    assert not news.wait(5.0)


def test_a_burst_is_one_piece_of_news(udev: tuple[socket.socket, Uevents]) -> None:
    sender, news = udev
    for event in (DISK, USB, DISK):
        sender.send(event)
    assert news.wait(5.0)
    news.wake()
    assert not news.wait(5.0)


def test_without_news_it_is_looked_after_the_time_all_the_same(udev: tuple[socket.socket, Uevents]) -> None:
    assert udev[1].wait(0.0)


def test_a_host_without_udev_has_no_news(tmp_path: Path) -> None:
    assert uevents(tmp_path) is None


def test_the_watch_looks_when_udev_says_so_and_ends_when_it_is_told(
    udev: tuple[socket.socket, Uevents], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, news = udev
    monkeypatch.setattr(libusb_host, "uevents", lambda _root: news)
    host, stop, looks = LibusbHost(FakeBackend([])), threading.Event(), threading.Semaphore(0)
    watch = threading.Thread(target=host.watch, args=(looks.release, stop))
    watch.start()
    assert looks.acquire(timeout=5.0)  # what was there before
    assert not looks.acquire(blocking=False)
    sender.send(USB)
    assert looks.acquire(timeout=5.0)
    stop.set()
    host.wake()
    watch.join(5.0)
    assert not watch.is_alive()
