"""USB/IP: our client and our pyusb backend, against servers that follow the protocol and others."""

from __future__ import annotations

import array
import errno
import socket
import struct
import threading
from collections.abc import Callable

import pytest
import usb.core
import usb.util
from usbip.protocol import serve_connection

from taxagent.device.usbip_backend import UsbipBackend
from taxagent.device.usbip_client import Attachment, TransferFailed, TransferTimeout
from taxagent.device.usbip_host import UsbipAddress, usbip_address
from taxagent.device.usbip_server import Gone, ImportRefused, exported, in_process
from tests.builders.usb import (
    BULK_IN,
    BULK_OUT,
    CANDIDATE,
    Act,
    ScriptedDevice,
    deaf,
    fail,
    give,
    just_in_time,
    late,
    opened,
    served,
    served_over_tcp,
    silence,
    stall,
    stock_disk,
    take,
    unplug,
)

REPLY = struct.Struct(">5I ii 20x")


def attached(*script: Act) -> tuple[Attachment, ScriptedDevice]:
    device = ScriptedDevice(list(script))
    return Attachment(device.connect(), "1-1"), device


def after_import(serve: Callable[[socket.socket], object]) -> Attachment:
    """Return an attachment to a server that imports anything and then does as `serve` says."""

    def whole(sock: socket.socket) -> None:
        with sock:
            sock.recv(40, socket.MSG_WAITALL)
            body = struct.pack(">256s32sIIIHHHBBBBBB", b"", b"1-1", 1, 2, 3, 1, 2, 0, 0, 0, 0, 1, 1, 1)
            sock.sendall(struct.pack(">HHI", 0x0111, 0x0003, 0) + body)
            serve(sock)

    return Attachment(in_process(whole), "1-1")


# ---- the list and the import


def test_the_list_tells_each_device_and_the_classes_of_its_interfaces() -> None:
    first, second = stock_disk(vid=0x1111, pid=1), stock_disk(vid=0x2222, pid=2)
    first.set_busid("1-1")
    second.set_busid("1-2")
    listed = exported(served(first, second))
    assert [(one.busid, one.vendor_id, one.product_id) for one in listed] == [
        ("1-1", 0x1111, 1),
        ("1-2", 0x2222, 2),
    ]
    assert listed[0].interfaces == ((0x08, 0x06, 0x50),)


def test_a_bus_without_devices_is_an_empty_list() -> None:
    assert exported(served()) == ()


def test_an_unknown_device_is_not_imported() -> None:
    with pytest.raises(ImportRefused) as failed:
        Attachment(served(stock_disk()), "9-9")
    assert failed.value.status == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack(">HHII", 0x0111, 0x0005, 0, 0xFFFFFFFF),
        struct.pack(">HHII", 0x0111, 0x0005, 0, 1) + b"cut off",
    ],
)
def test_a_server_that_speaks_no_usbip_is_no_server(answer: bytes) -> None:
    def serve(sock: socket.socket) -> None:
        with sock:
            sock.recv(8)
            sock.sendall(answer)

    with pytest.raises(Gone):
        exported(in_process(serve))


# ---- transfers


def test_transfers_carry_their_bytes_both_ways() -> None:
    device, _ = attached(take(), give(b"answer"))
    assert device.write(2, b"question", 1000) == 8
    assert device.read(1, 64, 1000) == b"answer"


def test_a_stall_is_the_status_minus_32() -> None:
    device, _ = attached(stall())
    with pytest.raises(TransferFailed) as failed:
        device.read(1, 64, 1000)
    assert failed.value.status == -32


def test_a_transfer_without_a_time_limit_is_refused() -> None:
    device, _ = attached()
    with pytest.raises(ValueError, match="time limit"):
        device.read(1, 64, 0)


def test_a_time_out_unlinks_the_transfer() -> None:
    device, scripted = attached(silence(), give(b"next"))
    with pytest.raises(TransferTimeout):
        device.read(1, 64, 30)
    assert scripted.log == ["in 64", "unlink"]
    assert device.read(1, 64, 1000) == b"next"


def test_a_late_answer_is_dropped_and_the_next_transfer_has_its_own() -> None:
    device, _ = attached(late(b"LATE"), give(b"mine"))
    with pytest.raises(TransferTimeout):
        device.read(1, 64, 30)
    assert device.read(1, 64, 1000) == b"mine"


def test_an_answer_that_comes_before_the_unlinking_is_confirmed_is_not_lost() -> None:
    device, _ = attached(just_in_time(b"phew"))
    assert device.read(1, 64, 30) == b"phew"


def test_replies_find_their_transfer_by_number_not_by_order() -> None:
    def serve(sock: socket.socket) -> None:
        requests = [sock.recv(48, socket.MSG_WAITALL) for _ in range(2)]
        for request in reversed(requests):
            (seqnum, endpoint) = struct.unpack_from(">I8xI", request, 4)
            sock.sendall(REPLY.pack(3, seqnum, 0, 0, 0, 0, 1) + bytes((endpoint,)))
        sock.recv(1)

    device = after_import(serve)
    answers: dict[int, bytes] = {}
    threads = [
        threading.Thread(target=lambda number=number: answers.update({number: device.read(number, 8, 2000)}))
        for number in (1, 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {1: b"\x01", 3: b"\x03"}


def test_a_server_that_confirms_no_unlinking_costs_a_bounded_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxagent.device.usbip_client._UNLINK_WAIT_S", 0.05)
    device, _ = attached(deaf(), give(b"next"))
    with pytest.raises(TransferTimeout):
        device.read(1, 64, 30)
    assert device.read(1, 64, 1000) == b"next"


@pytest.mark.parametrize("waiters", [1, 3])
def test_the_end_of_the_connection_wakes_every_waiter(waiters: int) -> None:
    arrived = threading.Semaphore(0)
    cut = threading.Event()

    def serve(sock: socket.socket) -> None:
        for _ in range(waiters):
            sock.recv(48, socket.MSG_WAITALL)
            arrived.release()
        cut.wait(5)

    device = after_import(serve)
    outcomes: list[Exception] = []

    def wait() -> None:
        try:
            device.read(1, 64, 60_000)
        except Gone as error:
            outcomes.append(error)

    threads = [threading.Thread(target=wait) for _ in range(waiters)]
    for thread in threads:
        thread.start()
    for _ in range(waiters):
        arrived.acquire()
    cut.set()
    for thread in threads:
        thread.join(5)
    assert [getattr(error, "submitted", None) for error in outcomes] == [True] * waiters


def test_after_the_end_nothing_is_submitted() -> None:
    device, _ = attached(unplug())
    for submitted in (True, False):
        with pytest.raises(Gone) as failed:
            device.read(1, 64, 1000)
        assert failed.value.submitted is submitted


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(REPLY.pack(3, 99, 0, 0, 0, 0, 0), id="to no transfer"),
        pytest.param(REPLY.pack(3, 1, 0, 0, 0, 0, 65), id="longer than asked for"),
        pytest.param(REPLY.pack(3, 1, 0, 0, 0, 0, -1), id="of a negative length"),
        pytest.param(REPLY.pack(7, 1, 0, 0, 0, 0, 0), id="of an unknown kind"),
        pytest.param(REPLY.pack(3, 1, 0, 0, 0, 0, 10) + b"five.", id="cut off in its data"),
    ],
)
def test_a_reply_that_cannot_be_ends_the_connection(reply: bytes) -> None:
    def serve(sock: socket.socket) -> None:
        sock.recv(48, socket.MSG_WAITALL)
        sock.sendall(reply)

    with pytest.raises(Gone):
        after_import(serve).read(1, 64, 5000)


def test_closing_from_another_thread_wakes_the_waiter() -> None:
    device, scripted = attached(silence())
    threading.Timer(0.05, device.close).start()
    with pytest.raises(Gone):
        device.read(1, 64, 60_000)
    assert scripted.log == ["in 64"]


# ---- the backend: what pyusb sees


def test_giving_the_device_back_is_not_being_gone() -> None:
    device, _ = attached(give(b"x"))
    device.close()
    assert not device.gone
    cut_off, _ = attached(unplug())
    with pytest.raises(Gone):
        cut_off.read(1, 64, 2000)
    assert cut_off.gone


def test_pyusb_finds_the_device_with_its_descriptors() -> None:
    device = opened(ScriptedDevice(extra=CANDIDATE, busid="1-1.4").connect())
    assert (device.idVendor, device.idProduct) == (0x1209, 0x7C01)
    assert (device.bus, device.port_numbers, device.speed) == (1, (1, 4), usb.util.SPEED_HIGH)
    interface = device[0][(0, 0)]
    assert (interface.bInterfaceClass, interface.bInterfaceSubClass, interface.bInterfaceProtocol) == (
        8,
        6,
        0x50,
    )
    assert bytes(interface.extra_descriptors) == CANDIDATE
    assert [endpoint.bEndpointAddress for endpoint in interface] == [BULK_IN, BULK_OUT]
    assert len(device.configurations()) == 1


def test_strings_are_read_by_pyusb_as_from_any_device() -> None:
    disk = opened(served(stock_disk(product="Stock Disk")))
    assert disk.product == "Stock Disk"


@pytest.mark.parametrize(
    ("act", "number", "code"),
    [
        pytest.param(stall(), errno.EPIPE, -9, id="stall"),
        pytest.param(fail(-75), errno.EOVERFLOW, -8, id="overflow"),
        pytest.param(fail(-108), errno.ENODEV, -4, id="shutdown"),
        pytest.param(fail(-19), errno.ENODEV, -4, id="no device"),
        pytest.param(fail(-71), errno.EIO, -1, id="protocol error"),
        pytest.param(unplug(), errno.ENODEV, -4, id="connection lost"),
    ],
)
def test_errors_are_those_of_libusb(act: Act, number: int, code: int) -> None:
    device = opened(ScriptedDevice([act]).connect())
    with pytest.raises(usb.core.USBError) as failed:
        device.read(BULK_IN, 64, 1000)
    assert (failed.value.errno, failed.value.backend_error_code) == (number, code)


def test_a_time_out_is_a_usb_timeout_error() -> None:
    device = opened(ScriptedDevice([silence()]).connect())
    with pytest.raises(usb.core.USBTimeoutError) as failed:
        device.read(BULK_IN, 64, 30)
    assert failed.value.errno == errno.ETIMEDOUT


def test_a_read_fills_the_callers_buffer() -> None:
    device = opened(ScriptedDevice([give(b"abc")]).connect())
    buffer = array.array("B", bytes(8))
    assert device.read(BULK_IN, buffer, 1000) == 3
    assert buffer.tobytes() == b"abc" + bytes(5)


def test_there_is_no_kernel_driver_over_usbip() -> None:
    device = opened(ScriptedDevice().connect())
    assert device.is_kernel_driver_active(0) is False
    for change in (device.detach_kernel_driver, device.attach_kernel_driver):
        with pytest.raises(usb.core.USBError) as failed:
            change(0)
        assert failed.value.errno == errno.ENOENT


def test_an_open_device_is_not_opened_twice() -> None:
    connect = ScriptedDevice().connect()
    backend = UsbipBackend(connect)
    backend.refresh()
    first, second = usb.core.find(backend=backend), usb.core.find(backend=backend)
    usb.util.claim_interface(first, 0)
    with pytest.raises(usb.core.USBError) as failed:
        usb.util.claim_interface(second, 0)
    assert failed.value.errno == errno.EBUSY
    usb.util.dispose_resources(first)
    usb.util.claim_interface(second, 0)


def test_only_mass_storage_is_imported_for_its_descriptors() -> None:
    class Keyboard(ScriptedDevice):
        def interface_triples(self) -> list[tuple[int, int, int]]:
            return [(3, 1, 1)]

    keyboard, disk = Keyboard(), ScriptedDevice()
    for device in (keyboard, disk):
        backend = UsbipBackend(device.connect())
        backend.refresh()
        backend.refresh()
    assert (keyboard.imports, disk.imports) == (0, 1)


def test_a_device_that_was_cut_off_is_a_new_arrival() -> None:
    backend = UsbipBackend(ScriptedDevice([unplug()]).connect())
    backend.refresh()
    device = usb.core.find(backend=backend)
    with pytest.raises(usb.core.USBError):
        device.read(BULK_IN, 64, 1000)
    usb.util.dispose_resources(device)
    assert usb.core.find(backend=backend) is None
    backend.refresh()
    assert usb.core.find(backend=backend).address != device.address


def test_forgetting_a_device_ends_its_transfers() -> None:
    backend = UsbipBackend(ScriptedDevice([silence()]).connect())
    backend.refresh()
    device = usb.core.find(backend=backend)
    threading.Timer(0.05, backend.forget, ("1-1",)).start()
    with pytest.raises(usb.core.USBError) as failed:
        device.read(BULK_IN, 64, 60_000)
    assert failed.value.errno == errno.ENODEV
    assert usb.core.find(backend=backend) is None


def test_nothing_is_plugged_where_the_server_is_gone() -> None:
    disk = stock_disk()
    with served_over_tcp(lambda sock: serve_connection(sock, [disk])) as (connect, _port):
        backend = UsbipBackend(connect)
        backend.refresh()
        assert usb.core.find(backend=backend) is not None
    with pytest.raises((OSError, Gone)):
        backend.refresh()
    assert usb.core.find(backend=backend) is None


def test_a_device_that_another_host_has_is_busy_and_read_once_it_is_free() -> None:
    class Shared(ScriptedDevice):
        taken = True

        def serve(self, sock: socket.socket) -> None:
            with sock:
                if sock.recv(8, socket.MSG_PEEK)[2:4] == b"\x80\x03" and self.taken:
                    sock.recv(40, socket.MSG_WAITALL)
                    sock.sendall(struct.pack(">HHI", 0x0111, 0x0003, 2))
                else:
                    super().serve(sock)

    shared = Shared()
    backend = UsbipBackend(shared.connect())
    backend.refresh()
    device = usb.core.find(backend=backend)
    with pytest.raises(usb.core.USBError) as failed:
        usb.util.claim_interface(device, 0)
    assert failed.value.errno == errno.EBUSY
    with pytest.raises(usb.core.USBError):
        device.configurations()
    shared.taken = False
    backend.refresh()
    assert len(usb.core.find(backend=backend).configurations()) == 1


def test_a_device_with_broken_descriptors_is_listed_without_a_configuration() -> None:
    backend = UsbipBackend(ScriptedDevice(extra=b"\x00\x24").connect())
    backend.refresh()
    with pytest.raises(usb.core.USBError):
        usb.core.find(backend=backend).configurations()


def test_a_device_that_left_the_table_is_not_opened() -> None:
    backend = UsbipBackend(ScriptedDevice().connect())
    backend.refresh()
    device = usb.core.find(backend=backend)
    backend.forget()
    with pytest.raises(usb.core.USBError) as failed:
        usb.util.claim_interface(device, 0)
    assert failed.value.errno == errno.ENODEV


def test_a_reset_and_an_alternate_setting_are_control_requests() -> None:
    device = opened(ScriptedDevice().connect())
    device.set_interface_altsetting(0, 0)
    device.reset()
    assert device.get_active_configuration().bConfigurationValue == 1


# ---- its address


def test_the_backend_is_written_as_a_url() -> None:
    assert usbip_address("usbip://127.0.0.1:3240?control=3241") == UsbipAddress(
        host="127.0.0.1", port=3240, control=3241
    )
    assert usbip_address("usbip://localhost") == UsbipAddress(host="localhost", port=3240)
    assert usbip_address("usbip://[::1]:4000") == UsbipAddress(host="::1", port=4000)


def test_other_machines_need_to_be_allowed() -> None:
    with pytest.raises(ValueError, match="remote=yes"):
        usbip_address("usbip://192.0.2.1:3240")
    assert usbip_address("usbip://192.0.2.1:3240?remote=yes").host == "192.0.2.1"


@pytest.mark.parametrize(
    "text",
    [
        "usbip://",
        "http://127.0.0.1",
        "usbip://127.0.0.1/x",
        "usbip://127.0.0.1?colour=red",
        "usbip://127.0.0.1:99999",
        "usbip://127.0.0.1?control=x",
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"usbip|range"):
        usbip_address(text)


def test_closing_waits_until_the_server_has_let_go() -> None:
    """Else the import that follows would be refused as busy by a server that gives a device to one host."""
    let_go = threading.Event()

    def serve(sock: socket.socket) -> None:
        assert sock.recv(1) == b""  # the client's end
        let_go.set()

    device = after_import(serve)
    device.close()
    assert let_go.is_set()


def test_closing_leaves_a_server_that_does_not_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxagent.device.usbip_client._CLOSE_WAIT_S", 0.05)
    stubborn = threading.Event()
    device = after_import(lambda sock: stubborn.wait(5))
    device.close()
    stubborn.set()
    with pytest.raises(Gone):
        device.read(1, 64, 1000)
