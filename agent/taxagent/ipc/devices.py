"""device.get, device.release, device.hold, device.retry: one device, and orders about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from taxagent.ipc.calls import Call, request_sha256
from taxagent.ipc.snapshots import device_view, seen_view
from taxagent.ipc.views import job_view
from taxagent.jobs.asks import Desk, DeviceDetails, DeviceOrder, Ordered
from taxagent.model.device import DeviceState, MonitorData
from taxagent.model.errors import AgentError
from taxagent.model.faults import Lang
from taxclient.protocol import messages as m


class DeviceOps:
    """Serves them, in the loop's thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def get(self, call: Call, args: m.DeviceArgs) -> None:
        """From memory."""
        try:
            call.ok(device_result(self._desk.device(args.device_no), call.lang))
        except AgentError as error:
            call.fail(error)

    def ordering(self, what: Literal["release", "hold", "retry"]) -> Callable[[Call, m.DeviceArgs], None]:
        """Return what serves this order."""

        def serve(call: Call, args: m.DeviceArgs) -> None:
            def done(answer: Ordered | AgentError) -> None:
                if isinstance(answer, AgentError):
                    call.fail(answer)
                else:
                    call.ok(device_result(answer.details, call.lang, known=answer.known))

            request = call.request
            order = DeviceOrder(
                what=what,
                device_no=args.device_no,
                minutes=args.minutes if isinstance(args, m.ReleaseArgs) else 0,
                key=request.key,
                request_sha256=request_sha256(request.op, args),
                sent_at_ms=request.sent_at,
                ttl_ms=request.ttl_ms,
            )
            self._desk.order(call.who, order, call.guarded(done))

        return serve


def device_result(details: DeviceDetails, lang: Lang, *, known: bool = False) -> m.DeviceResult:
    """Return one device, all that is known of it at once."""
    view, standing = details.view, details.standing
    state, release = view.state, standing.release
    thing = seen_view(details.thing) if details.thing is not None else None
    return m.DeviceResult(
        device=device_view(view, lang),
        usb_id=thing.usb_id if thing else "",
        name=thing.name if thing else "",
        registered=state.info.registered if state else None,
        certificate_from=state.info.certificate_from.isoformat() if state else "",
        certificate_to=state.info.certificate_to.isoformat() if state else "",
        limits=tuple(_limits(state)) if state else (),
        live_jobs=tuple(job_view(job, lang) for job in details.live_jobs),
        hung=standing.hung,
        hung_ms=standing.hung_ms,
        quarantined=standing.quarantined,
        released_by=release.by if release else "",
        released_ms=release.since_ms if release else 0,
        released_until_ms=release.until_ms if release else None,
        known=known,
    )


def _limits(state: DeviceState) -> Iterator[m.LimitView]:
    for row in state.monitor:
        yield m.LimitView(
            invoice_type=row.invoice_type,
            single_limit=row.single_limit,
            month_limit=row.month_limit,
            month_limit_left=row.month_limit_left,
            offline_hours=row.offline_hours,
            offline_hours_left=row.offline_hours_left,
            offline_amount=row.offline_amount,
            offline_amount_left=row.offline_amount_left,
            upload_deadline=row.upload_deadline.isoformat() if row.upload_deadline else "",
            capacity_left=row.capacity_left,
            blanks=_blanks(state, row),
        )


def _blanks(state: DeviceState, row: MonitorData) -> int | None:
    stocks = [stock for stock in state.stock or () if stock.invoice_type == row.invoice_type]
    return sum(numbers.count for stock in stocks for numbers in stock.ranges) if stocks else None
