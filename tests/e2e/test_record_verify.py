"""A settled month's record is looked at by the agent that wrote it, through taxctl."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.builders.site import PERIOD, TAXPAYER, client, ended, settle, site


def test_the_record_of_a_settled_month_holds_until_a_back_up_is_touched() -> None:
    with site() as shop:
        shop.file_return(TAXPAYER, PERIOD)
        shop.start_agent()
        command = [sys.executable, "-m", "taxclient.cli.main", "--endpoint", shop.endpoint, "--json"]
        with client(shop) as one:
            done = ended(one, settle(one).job_id)
            look = [*command, "record", "verify", done.job_id]
            first = subprocess.run(look, capture_output=True, check=False, timeout=60)
            held = json.loads(first.stdout)
            assert (first.returncode, held["holds"], held["sha256"]) == (0, True, done.record_sha256)
            assert [check["what"] for check in held["checks"]][:3] == ["record", "row", "chain"]
            assert [check["subject"] for check in held["checks"][3:]] == [kept.path for kept in done.backups]
            touched = Path(done.backups[0].path)
            touched.write_bytes(touched.read_bytes() + b"\n")
            second = subprocess.run(look, capture_output=True, check=False, timeout=60)
            verdicts = {check["subject"]: check["verdict"] for check in json.loads(second.stdout)["checks"]}
            assert second.returncode == 1
            assert [subject for subject, verdict in verdicts.items() if verdict != "holds"] == [str(touched)]
