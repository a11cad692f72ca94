"""A request by itself: is its key known, is it fresh, does its token confirm it? No state, no thread."""

from __future__ import annotations

from taxagent.jobs.asks import Accepted, Ask, DeviceOrder, InvoiceAsk, Principal, Role
from taxagent.model.errors import Refusal
from taxagent.model.events import TokenIssued
from taxagent.model.job import Job
from taxagent.ports import JournalTx

SKEW_MS = 30_000


def known_job(known: tuple[Job, str], ask: Ask) -> Accepted:
    """Return the job that the key has; Refusal("KEY_CONFLICT") where it is of another request."""
    job, request_sha256 = known
    if request_sha256 != ask.request_sha256:
        raise Refusal("KEY_CONFLICT", key=ask.key, job_id=job.job_id)
    return Accepted(job=job, known=True)


def unused(tx: JournalTx, principal: Principal, ask: Ask) -> None:
    """Refuse a key under which a bureau's question was answered."""
    answered = tx.answer_by_key(principal.name, ask.key)
    if answered is not None:
        raise Refusal("KEY_CONFLICT", key=ask.key, job_id=answered.job_id)


def fresh(ask: Ask | InvoiceAsk | DeviceOrder, now_ms: int) -> None:
    """Refuse a request that its sender has given up, or whose clock cannot be trusted to say so."""
    age_ms = now_ms - ask.sent_at_ms
    if age_ms < -SKEW_MS:
        raise Refusal("CLOCK_SKEW", what=f"{-age_ms} ms", sent_at_ms=str(ask.sent_at_ms), now_ms=str(now_ms))
    if age_ms > ask.ttl_ms:
        raise Refusal("EXPIRED", what=f"{age_ms - ask.ttl_ms} ms", limit=str(ask.ttl_ms))


def allowed(principal: Principal, ask: Ask) -> None:
    """Refuse a new job that the role does not cover: `late` takes a technician.

    The door asks too, but lets a request through whose key is just being answered; that one may be refused.
    """
    needed = Role.TECHNICIAN if ask.late else Role.OPERATOR
    if not principal.role.covers(needed):
        raise Refusal("NOT_ALLOWED", op=ask.kind.value, role=needed.value, found=principal.role.value)


def redeemable(tx: JournalTx, token_sha256: str, principal: Principal, ask: Ask, now_ms: int) -> TokenIssued:
    """Return what the token confirms, if it confirms this request."""
    issued = tx.token(token_sha256)
    if issued is None:
        raise Refusal("TOKEN_INVALID")
    if issued.expires_ms < now_ms:
        raise Refusal("TOKEN_EXPIRED")
    scope = issued.scope
    asked = (principal.name, ask.kind, ask.device_no)
    same = asked == (issued.principal, issued.kind, scope.device_no)
    other = (ask.types and _meant(ask, issued) != set(scope.types)) or (
        ask.periods and set(ask.periods) != set(scope.periods)
    )
    if ask.taxpayer_id and ask.taxpayer_id != scope.taxpayer_id:
        raise Refusal("TAXPAYER_WRONG", expected=ask.taxpayer_id, found=scope.taxpayer_id)
    if not same or other:
        raise Refusal("TOKEN_MISMATCH", kind=issued.kind.value, device_no=scope.device_no)
    return issued


def _meant(ask: Ask, issued: TokenIssued) -> set[str]:
    """Return the types that the request means: who names one of a group means the group, as in `prepare`."""
    shown = issued.confirmed.types
    groups = {each.group for each in shown if each.invoice_type in ask.types}
    return {each.invoice_type for each in shown if each.group in groups} | set(ask.types)
