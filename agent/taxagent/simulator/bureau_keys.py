"""What an Idempotency-Key stands for at the simulated bureau (docs/bureau-gateway.md, "Writes")."""

from __future__ import annotations

import hashlib

from taxagent.bureau import messages as m
from taxagent.bureau.messages import Op
from taxagent.simulator.bureau_requests import Request, body_of


def payload_sha256_of(request: Request) -> str:
    """Return the hash of what the key stands for; fields beside the payload do not count."""
    match request.op:
        case Op.REPORT_PUT:
            payload = body_of(request, m.ReportBody).summary
        case Op.TICKET_PUT:
            payload = body_of(request, m.TicketBody).supersedes.encode()
        case _:
            payload = body_of(request, m.ConfirmBody).ticket_no.encode()
    return hashlib.sha256(f"{request.op}\n{request.about}\n".encode() + payload).hexdigest()


def whole_body_sha256_of(request: Request) -> str:
    """Return what version 0.1's first states kept in its place."""
    return hashlib.sha256(f"{request.op}\n{request.about}\n".encode() + request.body).hexdigest()
