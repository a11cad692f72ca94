"""The demo's transcript in the READMEs; what varies from run to run is made constant.

`python -m tools.transcript` renews both.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = {"en": ROOT / "README.md", "zh": ROOT / "README.zh-CN.md"}
TESTED = "<!-- tested by tests/e2e/test_demo.py -->"
_BLOCK = re.compile(rf"(?:<!-- demo transcript -->|{re.escape(TESTED)}\n```text\n.*?\n```)", re.DOTALL)
_VARIES = (
    (re.compile(r"/\S*/taxagent-demo-\w+"), "/tmp/taxagent-demo"),  # noqa: S108 - a text, not a file
    (re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b"), "01JEXAMPLE0000000000000000"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "3f9c…"),
    (re.compile(r"\d{4}-\d\d-\d\d( |T)\d\d:\d\d(:\d\d)?"), r"2026-11-03\g<1>11:30:00"),
    (re.compile(r"\b\d+\.\d+ (seconds|秒)"), r"… \1"),
    (re.compile(r"\d+( rows| 行)"), r"…\1"),
)


def demo(lang: str) -> str:
    """Run the demo in a language and return its transcript, made constant. CalledProcessError if it fails."""
    command = [sys.executable, "-m", "taxagent", "--lang", lang, "demo"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return constant(ran.stdout)


def constant(text: str) -> str:
    """Return a transcript without what varies: ids, hashes, times, folders, counts of rows."""
    for varies, instead in _VARIES:
        text = varies.sub(instead, text)
    return text.strip()


def shown(lang: str) -> str:
    """Return the transcript that a README shows, "" where it shows none."""
    match = re.search(
        rf"{re.escape(TESTED)}\n```text\n(.*?)\n```", README[lang].read_text("utf-8"), re.DOTALL
    )
    return match[1] if match else ""


def main() -> int:
    """Put a fresh transcript into each README."""
    for lang, path in README.items():
        block = f"{TESTED}\n```text\n{demo(lang)}\n```"
        text = path.read_text("utf-8")
        path.write_text(_BLOCK.sub(lambda _, new=block: new, text, count=1), "utf-8")  # type: ignore[misc]
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
