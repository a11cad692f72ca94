"""The back-up: all that the device shows of a period, streamed into one archive and tallied on the way.

One archive a device, period and protected step, so that a job that is run again finds what stands.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from taxagent.model.device import DeviceState, Statistics
from taxagent.model.errors import Refusal
from taxagent.model.job import Backup, Step, StepId
from taxagent.model.period import Period, first_day, last_day
from taxagent.model.stock import Tally, stock_difference, sums_difference
from taxagent.model.value import to_json
from taxagent.procedures.work import Work

_PAGE = 256  # invoices that are joined into one write


def back_up(work: Work, state: DeviceState, month: Period, before: Step) -> None:
    """Back the period up, unless this job has done so, and hold its sums against each other.

    Raises Refusal("BACKUP_FAILED") or Refusal("STOCK_MISMATCH") with the first difference.
    """
    step = StepId(step=Step.BACKUP, group=before.value, period=month)
    if work.job.done(step):
        return
    job, tallies = work.job, dict[str, Tally]()
    name = f"{job.scope.device_no}/{month}/{job.scope.device_no}-{month}-{before.value}-{job.job_id}.zip"
    with work.ledger.trying(step):
        statistics = work.totals(job.scope.types, [month])
        path, sha256 = work.archives.write(
            name, _manifest(work, state, month), _parts(work, state, month, statistics, tallies)
        )
        _same_sums(statistics, tallies)
        work.ledger.backed_up(step, Backup(period=month, path=path, sha256=sha256, before=before))


def _manifest(work: Work, state: DeviceState, month: Period) -> dict[str, str]:
    return {
        "device_no": state.hello.device_no,
        "taxpayer_id": state.info.taxpayer_id,
        "period": month,
        "job_id": work.job.job_id,
        "simulated": "yes" if state.hello.simulated else "no",
        "device_clock": state.clock.isoformat(),
        "written_at_ms": str(work.clock.utc_ms()),
    }


def _parts(
    work: Work,
    state: DeviceState,
    month: Period,
    statistics: tuple[Statistics, ...],
    tallies: dict[str, Tally],
) -> Iterator[tuple[str, Iterator[bytes]]]:
    yield "state.json", iter([to_json(state)])
    yield "statistics.json", iter([msgspec.json.encode(statistics)])
    stock = tuple(work.device.stock(kind) for kind in work.job.scope.types)
    yield "stock.json", iter([msgspec.json.encode(stock)])
    for kind in work.job.scope.types:
        tallies[kind] = Tally()
        yield f"invoices-{kind}.jsonl", _invoices(work, kind, month, tallies[kind])


def _invoices(work: Work, kind: str, month: Period, tally: Tally) -> Iterator[bytes]:
    lines: list[bytes] = []
    for invoice in work.device.invoices(kind, first_day(month), last_day(month)):
        tally.add(invoice)
        lines.append(to_json(invoice) + b"\n")
        if len(lines) == _PAGE:
            yield b"".join(lines)
            lines.clear()
    yield b"".join(lines)


def _same_sums(statistics: tuple[Statistics, ...], tallies: dict[str, Tally]) -> None:
    for row in statistics:
        wrong = (*stock_difference(row), *sums_difference(row, tallies[row.invoice_type]))
        if wrong:
            raise Refusal(
                "STOCK_MISMATCH",
                invoice_type=row.invoice_type,
                differences="; ".join(str(difference) for difference in wrong),
            )
