"""The cases of the guide's prompts, and of the frequent faults that it lacks: one table for test and page."""

from __future__ import annotations

from tests.builders.prompts import Case, Shows, away, no, refuse

AFTER_FIX, ASK, NEVER, LATER = "after_fix", "ask_human", "never", "after_ms"
ASKED, LOOKED, WAITS, STANDS = Shows.ASKED, Shows.LOOKED_AT, Shows.WAITS, Shows.STANDS

CASES: tuple[Case, ...] = (
    # 未插税控设备
    Case("DEVICE_ABSENT", "unplugged", "here", AFTER_FIX, ASKED, unplugged=True),
    Case("DEVICE_IN_USE", "another program holds it", "here", AFTER_FIX, WAITS, taken=True),
    # 税控设备未注册
    Case(
        "DEVICE_UNREGISTERED",
        "the bureau never issued it, or it is for training",
        "tax_hall",
        AFTER_FIX,
        LOOKED,
        device="registered = false",
    ),
    # 清卡失败
    Case(
        "TICKET_REJECTED",
        "the device finds the clear ticket forged or another's",
        "bureau",
        ASK,
        outcome="partly_executed",
        faults=(refuse("apply_ticket", "09f104"),),
    ),
    Case(
        "TICKET_STALE",
        "a newer ticket was issued, twice over",
        "bureau",
        "same_key",
        outcome="partly_executed",
        faults=(refuse("apply_ticket", "09f102"), refuse("apply_ticket", "09f102", 2)),
    ),
    Case(
        "CLOCK_TICKET_MISSING",
        "the clock ticket was not written before it",
        "here",
        ASK,
        outcome="partly_executed",
        faults=(refuse("apply_ticket", "09f105"), refuse("apply_ticket", "09f105", 2)),
    ),
    Case(
        "BUREAU_REFUSED",
        "the bureau refuses",
        "bureau",
        ASK,
        outcome="partly_executed",
        bureau=(no("report.put", "TAXPAYER_MISMATCH", 403),),
    ),
    Case(
        "DEVICE_LOCKED",
        "the device has passed its invoicing deadline and says so",
        "here",
        NEVER,
        faults=(refuse("seal", "09d109"),),
    ),
    # 当前时间不在允许范围内
    Case(
        "CLOCK_WRONG",
        "clock wrong or its battery dead: more than 12 hours apart",
        "here",
        AFTER_FIX,
        ASKED,
        device="clock = { error_s = 50000 }",
    ),
    Case(
        "TOO_EARLY_IN_DAY",
        "before 00:05 of the device's day",
        "here",
        LATER,
        ASKED,
        device="clock = { error_s = -41340 }",
    ),
    Case("PERIOD_NOT_ENDED", "the month has not ended", "here", LATER, ASKED, asks={"periods": ("2026-11",)}),
    Case(
        "NOTHING_DUE", "nothing to report, says the device", "here", NEVER, faults=(refuse("seal", "09d11b"),)
    ),
    Case(
        "OVERDUE",
        "more than 90 days since the last report",
        "tax_hall",
        AFTER_FIX,
        ASKED,
        of_type="last_report = 2026-06-30",
    ),
    Case("WINDOW_CLOSED", "the filing window has closed", "bureau", ASK, ASKED, late=True),
    # 数据传输失败
    Case("UPLOAD_PENDING", "invoices are not uploaded", "here", AFTER_FIX, ASKED, uploaded=False),
    Case("BUREAU_BUSY", "the bureau is busy", "bureau", LATER, WAITS, bureau=(away("status", "busy"),)),
    Case(
        "BUREAU_MAINTENANCE",
        "the bureau is in maintenance",
        "bureau",
        LATER,
        WAITS,
        bureau=(away("status", "maintenance"),),
    ),
    Case(
        "BUREAU_GARBLED",
        "a proxy answers in the bureau's place",
        "bureau",
        "same_key",
        WAITS,
        bureau=({"do": "fault", "op": "status", "act": "garble"},),
    ),
    # 未完成抄报
    Case("NOT_REPORTED", "a clear without a report", "here", AFTER_FIX, kind="clear"),
    Case(
        "OLDER_PERIOD_DUE",
        "an older month is not reported",
        "here",
        AFTER_FIX,
        ASKED,
        of_type="last_report = 2026-08-31\ninvoicing_deadline = 2026-10-16",
        asks={"periods": ("2026-10",)},
    ),
    Case(
        "MACHINE_NOT_REPORTED",
        "another machine of the taxpayer has not reported",
        "here",
        AFTER_FIX,
        WAITS,
        outcome="partly_executed",
        bureau=(no("ticket.put", "MACHINE_NOT_REPORTED"),),
    ),
    # 未完成报税
    Case(
        "NOT_DECLARED",
        "the return is not filed",
        "bureau",
        AFTER_FIX,
        WAITS,
        outcome="partly_executed",
        filed="missing",
    ),
    Case(
        "DECLARATION_MISMATCH",
        "the return does not match the report (一窗式比对)",
        "bureau",
        AFTER_FIX,
        WAITS,
        outcome="partly_executed",
        filed="mismatch",
    ),
    # 无法登录
    Case("PASSWORD_WRONG", "the device refuses the password", "here", AFTER_FIX, LOOKED, secret="00000000"),
    Case(
        "PASSWORD_LATCHED",
        "a password that was refused before is not tried again",
        "here",
        AFTER_FIX,
        ASKED,
        secret="00000000",
    ),
    Case("PASSWORD_MISSING", "no password is kept", "here", AFTER_FIX, LOOKED, secret=""),
    Case(
        "PASSWORD_LAST_TRY",
        "one try is left: the agent does not take it",
        "here",
        ASK,
        LOOKED,
        device="tries = 1",
    ),
    Case(
        "PASSWORD_BLOCKED",
        "the device's password is blocked",
        "tax_hall",
        AFTER_FIX,
        faults=(refuse("open", "09d10b"),),
    ),
    Case(
        "BUREAU_AUTH",
        "the bureau refuses the certificate",
        "here",
        AFTER_FIX,
        bureau=(no("status", "AUTH", 401),),
    ),
    # 发票信息不一致
    Case("STOCK_MISMATCH", "stock or sums differ", "here", ASK, of_type="closing_error = 2"),
    Case(
        "TAXPAYER_WRONG",
        "the device is another taxpayer's",
        "here",
        AFTER_FIX,
        ASKED,
        asks={"taxpayer_id": "91370102MA3CXK7T45"},
    ),
    Case(
        "TYPE_UNKNOWN",
        "the device has no such invoice type",
        "here",
        AFTER_FIX,
        ASKED,
        asks={"types": ("026",)},
    ),
    Case(
        "CAS_FAILED",
        "another program reported meanwhile",
        "here",
        ASK,
        faults=(refuse("clock_ticket", "09f101"),),
        outcome="partly_executed",
    ),
    Case(
        "CERTIFICATE_EXPIRED",
        "the device's certificate is over",
        "tax_hall",
        AFTER_FIX,
        device="certificate_to = 2026-10-31",
    ),
    # what the guide lacks
    Case("DEVICE_FAULTY", "the hardware is broken", "vendor", ASK, faults=(refuse("seal", "04"),)),
    Case("DEVICE_FULL", "the memory is full", "vendor", ASK, faults=(refuse("seal", "09f110"),)),
    Case("DEVICE_REFUSED", "any other no of the device", "vendor", ASK, faults=(refuse("seal", "092403"),)),
    Case(
        "DEVICE_BUSY",
        "the device is busy",
        "here",
        LATER,
        WAITS,
        faults=tuple(refuse("seal", "09f008", n) for n in range(1, 10)),
    ),
    Case(
        "STATE_DISAGREES",
        "the device says sealed, and shows that it is not",
        "here",
        ASK,
        STANDS,
        faults=(refuse("seal", "09f10c"),),
    ),
    Case(
        "BUREAU_VERSION",
        "the bureau asks for a newer program",
        "here",
        AFTER_FIX,
        bureau=(no("status", "AGENT_TOO_OLD", 426),),
    ),
    Case(
        "CHALLENGE",
        "the bureau wants a verification code",
        "here",
        ASK,
        WAITS,
        bureau=(away("status", "busy", code="CHALLENGE"),),
    ),
)
