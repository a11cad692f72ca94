"""taxagent doctor: on a whole simulated site all is well; what is broken is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.builders.site import client, identified, site


def doctor(config: Path) -> tuple[int, dict[str, str]]:
    command = [sys.executable, "-m", "taxagent", "doctor", "--config", str(config), "--json"]
    ran = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return ran.returncode, {row["code"]: row["state"] for row in json.loads(ran.stdout)["lines"]}


def test_beside_a_running_agent_nothing_is_bad() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
            code, found = doctor(shop.config)
    assert (code, [code for code, state in found.items() if state == "fail"]) == (0, [])
    assert {"CONFIG_OK", "DEVICE_OURS", "SOCKET_OK", "JOURNAL_OK", "CERTIFICATE_OK", "HTTP_OK"} <= set(found)


def test_what_is_broken_is_named_and_the_rest_is_looked_at_all_the_same() -> None:
    with site() as shop:
        assert shop.bureau is not None
        shop.bureau.stop()
        assert shop.devices is not None
        shop.devices.stop()
        code, found = doctor(shop.config)
    assert code == 1
    broken = {code for code, state in found.items() if state == "fail"}
    assert broken == {"USB_SERVER_DOWN", "TCP_FAILED", "LATENCY_ALL_LOST"}
    assert {"NO_AGENT", "JOURNAL_NONE", "SECRETS_STORED", "DNS_OK"} <= set(found)


def test_without_a_configuration_it_says_how_to_make_one(tmp_path: Path) -> None:
    code, found = doctor(tmp_path / "none.toml")
    assert code == 1
    assert found["CONFIG_NONE"] == "fail"
    assert "VERSIONS" in found


def test_a_configuration_that_is_wrong_is_a_finding(tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text("[agent]\n")
    assert doctor(config)[1]["CONFIG_INVALID"] == "fail"
