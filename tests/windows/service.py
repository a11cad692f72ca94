"""The service's checks, in the order of a shop's day. One job spans stop, kill and restart."""

from __future__ import annotations

import json
from functools import partial

from tests.windows.report import Report
from tests.windows.shop import CONFIG, DEVICE, PERIOD, TAXPAYER, Shop, until


def checks(report: Report, shop: Shop) -> None:
    """Install, start, pair, begin a month, stop and kill in the middle of it, settle it, uninstall."""
    report.check("bureau and device run", shop.prepare)
    report.check("a start without a configuration is no stop with code 0", partial(unconfigured, shop))
    report.check(
        "the service is installed; each optional setting is a step of its own", partial(installs, shop)
    )
    report.check("it starts, and runs once it is ready", partial(starts, shop))
    report.check("without a key nobody is let in", partial(strange, shop))
    report.check("taxagent pair and taxctl pair", partial(pairs, shop))
    report.check("a second instance is refused", partial(second, shop))
    report.check("a settle is sealed and waits for the declaration", partial(begins, shop))
    report.check("stopped in mid-job it drains, and the next start has the job", partial(stops, shop))
    report.check("killed in mid-job, and the computer restarted: the job is there", partial(killed, shop))
    report.check("the return is filed: the month is settled, each write once", partial(settled, shop))
    report.check("taxctl speaks Chinese in UTF-8", partial(chinese, shop))
    report.check("the log is a JSON file a day", partial(logged, shop))
    report.check("it stops with code 0 and is uninstalled; journal and keys stay", partial(leaves, shop))


_job = ""
SEALS = ["seal", "seal"]  # the device has two groups of invoice types


def unconfigured(shop: Shop) -> str:
    """The service is told a configuration that is not there."""
    code, said = shop.agent("service", "install", "--config", "C:\\nowhere\\taxagent.toml", "--lang", "en")
    assert code == 0, said
    code, said = shop.agent("service", "start", "--lang", "en", limit=220)
    assert code == 1, said
    told = shop.stands()
    assert (told["state"], told["exit_code"]) == (1, 1066), told
    assert told["own_code"], told
    return f"code {told['exit_code']}/{told['own_code']}"


def installs(shop: Shop) -> str:
    """Wine refuses some settings; the others are made all the same. Again over what is there."""
    return shop.service("install")


def starts(shop: Shop) -> str:
    """RUNNING is said when the sockets are bound and the journal is verified."""
    shop.service("start")
    told = shop.stands()
    assert told["state"] == 4, told
    return f"process {told['pid']}"


def strange(shop: Shop) -> str:
    """AuthError, and its exit code."""
    code, said = shop.ctl("--json", "status")
    assert code == 77, f"{code} {said}"
    return str(json.loads(said)["error"]["code"])


def pairs(shop: Shop) -> str:
    """The administrator's command comes by the agent's own key."""
    code, said = shop.agent("pair", "--role", "operator", "--json", "--config", CONFIG)
    assert code == 0, said
    code, said = shop.ctl("pair", typed=json.loads(said)["code"] + "\r\n")
    assert code == 0, said
    until(shop.device_read, "the device was read")
    return said.splitlines()[0]


def second(shop: Shop) -> str:
    """The lock file's lock is the system's."""
    code, said = shop.agent("run", "--config", CONFIG)
    assert code == 75, f"{code} {said}"
    return f"exit code {code}"


def begins(shop: Shop) -> str:
    """No return is filed yet."""
    global _job  # noqa: PLW0603 - one job goes through all of these checks
    code, said = shop.ctl("--json", "settle", DEVICE, "--prepare")
    assert code == 0, f"{code} {said}"
    code, said = shop.ctl("--json", "settle", DEVICE, "--token", json.loads(said)["token"], "--no-wait")
    assert code == 30, f"{code} {said}"
    _job = str(json.loads(said)["job"]["job_id"])
    until(lambda: "declaration" in waiting(shop), "it waits for the declaration")
    assert shop.writes() == SEALS, shop.writes()
    return _job


def waiting(shop: Shop) -> str:
    """Return the job as taxctl tells it."""
    return shop.ctl("--json", "job", "get", _job)[1]


def stops(shop: Shop) -> str:
    """A stop is code 0; the job is in the journal."""
    shop.service("stop")
    told = shop.stands()
    assert (told["state"], told["exit_code"]) == (1, 0), told
    shop.service("start")
    until(lambda: "declaration" in waiting(shop), "the job waits again")
    return "code 0"


def killed(shop: Shop) -> str:
    """Wine does not notice the death: so the session is begun anew, as a computer would be."""
    pid = shop.stands()["pid"]
    code, said = shop.session.run("taskkill", "/f", "/pid", str(pid), limit=30)
    assert code == 0, said
    shop.session.restart()
    until(lambda: shop.stands().get("state") == 4, "it starts with the computer", 60)
    until(lambda: "declaration" in waiting(shop), "the job waits again")
    assert shop.writes() == SEALS, shop.writes()
    return f"process {pid} was killed"


def settled(shop: Shop) -> str:
    """By the device's own log nothing was written twice."""
    shop.site.file_return(TAXPAYER, PERIOD)
    until(lambda: '"done"' in waiting(shop).lower(), "the job is done", 60)
    writes = shop.writes()
    assert writes == [*SEALS, *("clock_ticket", "apply_ticket") * 2], writes
    return ", ".join(writes)


def chinese(shop: Shop) -> str:
    """A console in GBK gets UTF-8 too."""
    code, said = shop.ctl("--lang", "zh", "status")
    assert code == 0, said
    assert "济南" in said, said
    return said.splitlines()[0]


def logged(shop: Shop) -> str:
    """Beside the configuration; nobody but the service writes there."""
    files = list((shop.place / "logs").glob("taxagent-*.jsonl"))
    events = [json.loads(line)["event"] for line in files[0].read_text("utf-8").splitlines()]
    assert {"listening", "ready", "stopped"} <= set(events), events
    return f"{len(events)} lines in {files[0].name}"


def leaves(shop: Shop) -> str:
    """What is the shop's own is not the service's to take away."""
    shop.service("stop")
    told = shop.stands()
    assert (told["state"], told["exit_code"]) == (1, 0), told
    shop.service("uninstall")
    until(lambda: not shop.stands(), "the service is forgotten")
    assert (shop.place / "data/journal.db").exists()
    return "journal.db is there"
