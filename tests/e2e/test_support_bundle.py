"""taxagent support-bundle: whole with an agent and without anything; planted secrets are nowhere in it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from taxclient.protocol import messages as m
from tests.builders.site import DEVICE, TAXPAYER, client, ended, identified, site

SECRET = "Hunter2-secret"


def bundle(config: Path, out: Path, *more: str, lang: str = "en") -> tuple[str, dict[str, bytes]]:
    command = [sys.executable, "-m", "taxagent", "--lang", lang, "support-bundle"]
    command += ["--config", str(config), "--out", str(out), *more]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert out.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(out) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    sums = json.loads(files.pop("manifest.json"))["sha256"]
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    return ran.stdout, files


def test_it_has_every_part_and_no_secret_number_or_name(tmp_path: Path) -> None:
    with site(config='[support]\ncontact = "Wang 13800000000"\n') as shop:
        shop.start_agent()
        with client(shop) as one:
            name = identified(one).taxpayer_name
        secrets = shop.config.parent / "secrets"
        (secrets / "extra").write_text(SECRET)
        planted = f"# {SECRET}\n# -----BEGIN PRIVATE KEY-----\n# MIIsecret\n"
        shop.config.write_text(planted + shop.config.read_text())
        stored = {path.read_text().strip() for path in secrets.iterdir() if path.is_file()}
        told, files = bundle(shop.config, tmp_path / "one.zip")
        _, whole = bundle(shop.config, tmp_path / "two.zip", "--with-journal")
        file = tomllib.loads(shop.config.read_text())["bureau"]["key"]
        key = (shop.config.parent / file).read_text().splitlines()[1]
    everything = b"\n".join(files.values()).decode()
    for hidden in {SECRET, "MIIsecret", "13800000000", TAXPAYER, name, key, *stored}:
        assert hidden not in everything, hidden
    assert json.loads(files["status.json"])["devices"]
    (device,) = json.loads(files["devices.json"])["devices"]
    assert (device["device_no"], device["taxpayer_name"]) == (DEVICE, "[removed]")
    assert b"agent.started" in files["journal-rows.jsonl"]
    assert "--with-journal" in told
    assert "journal.db" not in files
    assert whole["journal.db"].startswith(b"SQLite format 3")


def test_without_agent_and_configuration_each_file_says_why_it_is_empty(tmp_path: Path) -> None:
    told, files = bundle(tmp_path / "none.toml", tmp_path / "one.zip", "--with-journal")
    assert files["configuration.json"].startswith(b"not to be had: FileNotFoundError")
    assert files["journal.txt"].startswith(b"not to be had")
    assert b"CONFIG_NONE" in files["doctor.json"]
    assert "status.json (not to be had" in told


def test_a_name_that_the_journal_knows_is_masked_in_free_text_also_while_no_agent_runs(
    tmp_path: Path,
) -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            name = identified(one).taxpayer_name
            ended(one, one.check(m.CheckArgs(device_no=DEVICE)).job.job_id)
        assert shop.agent is not None
        assert shop.agent.stop() == 0
        shop.config.write_text(shop.config.read_text() + f'\n[windows]\nregion = "at {name}"\n')
        _, files = bundle(shop.config, tmp_path / "one.zip")
    assert json.loads(files["configuration.json"])["windows"]["region"] == "at [name]"


def test_in_chinese_it_says_the_same(tmp_path: Path) -> None:
    with site() as shop:
        told, files = bundle(shop.config, tmp_path / "one.zip", lang="zh")
    path, head, *names, left = told.splitlines()
    assert (path, head) == (str(tmp_path / "one.zip"), "已放入：")
    why = {
        name: "（取不到，文件中有原因）" for name, data in files.items() if data.startswith(b"not to be had")
    }
    assert names == [f"  {name}{why.get(name, '')}" for name in files]
    assert {"status.json", "devices.json"} <= set(why)  # no agent runs
    assert left == ("未放入：密码、密钥内容、纳税人识别号和名称、联系人、完整日志（要附上用 --with-journal）")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in files["doctor.json"].decode())
