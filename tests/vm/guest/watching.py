"""The metrics by a socket of systemd's: enabled as the page on Linux says, scraped, scraped in a restart."""

from __future__ import annotations

import json
import urllib.request
from functools import partial

from tests.vm.guest.forks import ran
from tests.vm.guest.machine import done, main_pid, out, until
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop

DEVICES: dict[str, str] = {}
OPENS = True
_SOCKET = "taxagent-metrics.socket"
_PAGE = "http://127.0.0.1:9464/metrics"


def checks(report: Report, shop: Shop) -> None:
    """From a socket that rests to one that rests again. Starts the agent, and configures its next start."""
    report.check("metrics' socket: systemd-analyze verify finds nothing", verified)
    report.check("metrics' socket: enabled, the agent is scraped through it", partial(scraped, shop))
    report.check("metrics' socket: a scrape of a stopped agent starts it", partial(awoken, shop))
    report.check("metrics' socket: service status names it; disabled, it rests", partial(rested, shop))


def verified() -> None:
    """Of the socket as it is installed."""
    ended = done("systemd-analyze", "verify", _SOCKET)
    said = [line for line in ended.stderr.splitlines() if "taxagent" in line]
    assert ended.returncode == 0, ended.stderr
    assert not said, said


def scraped(shop: Shop) -> str:
    """As a person enables it; systemd opens no socket for a service that runs."""
    shop.modules()
    shop.configure('metrics.listen = "systemd"')
    out("systemctl", "stop", "taxagent")
    out("systemctl", "enable", "--now", _SOCKET)
    out("systemctl", "start", "taxagent")
    until(shop.answers, "the agent answers")
    page = until(lambda: found if "taxagent_device_" in (found := scrape()) else "", "there is a picture")
    assert page.endswith("# EOF\n"), page[-200:]
    return f"{len(page.splitlines())} lines"


def awoken(shop: Shop) -> None:
    """The socket stays open while the agent is away; what comes then is answered by the next one."""
    before = main_pid()
    out("systemctl", "stop", "taxagent")
    assert main_pid() == 0
    assert "# EOF" in scrape()
    until(shop.answers, "the agent answers")
    assert main_pid() not in (0, before)


def rested(shop: Shop) -> None:
    """And nothing listens."""
    told = json.loads(ran("taxagent", "service", "status", "--json").stdout)
    assert (told["socket"]["ActiveState"], told["socket"]["UnitFileState"]) == ("active", "enabled"), told
    out("systemctl", "disable", "--now", _SOCKET)
    shop.configure()
    told = json.loads(ran("taxagent", "service", "status", "--json").stdout)
    assert (told["socket"]["ActiveState"], told["socket"]["UnitFileState"]) == ("inactive", "disabled"), told


def scrape() -> str:
    """Return the page, for which an agent may first have to start."""
    with urllib.request.urlopen(_PAGE, timeout=120) as answer:
        return str(answer.read().decode())
