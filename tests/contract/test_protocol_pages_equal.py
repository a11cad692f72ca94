"""docs/protocol.zh-CN.md says what docs/protocol.md says: neither changes without the other.

Words cannot be compared, what stands between them can: headings, tables row by row, codes, names, links.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from taxagent.model import faults
from tools.check_docs import headings

DOCS = Path(__file__).parents[2] / "docs"
ENGLISH = (DOCS / "protocol.md").read_text(encoding="utf-8")
CHINESE = (DOCS / "protocol.zh-CN.md").read_text(encoding="utf-8")
CODE = re.compile(r"`[^`]+`")
NAME = re.compile(r"(?<![\w/.])[a-z][a-z0-9]*(?:[_.][a-z][a-z0-9_]*)+")  # not_executed, job.ended
NUMBER = re.compile(r"(?<![\w.-])\d+(?:,\d{3})*(?![\w.-])")
LINK = re.compile(r"\]\(([^)]+)\)")
UPPER = re.compile(r"\b[A-Z]+(?:_[A-Z]+)*\b")
FAULTS = {*faults.codes(), "TIMEOUT", "AGENT_UNAVAILABLE", "PROTOCOL_ERROR"}
TWIN = re.compile(r"\[(protocol[\w.-]*)\]\(\1\)")  # each names the other


def sections(page: str) -> list[str]:
    """The page cut at its headings."""
    return re.split(r"(?m)^#{1,6} .*$", TWIN.sub("", page))


def rows(section: str) -> list[str]:
    return [line for line in section.splitlines() if line.startswith("|")]


def prose(section: str) -> str:
    return "\n".join(line for line in section.splitlines() if not line.startswith("|"))


def facts(text: str) -> Counter[str]:
    """What a translation leaves as it is. A span that a line break cut in two is one span."""
    joined = re.sub(r"\s+", " ", text)
    bare = LINK.sub("]", CODE.sub(" ", joined))
    found = [re.sub(r"\s+", " ", span) for span in CODE.findall(joined)]
    found += NAME.findall(bare)
    found += [word for word in UPPER.findall(bare) if word in FAULTS]
    found += ["link" if aim.startswith("#") else aim for aim in LINK.findall(joined)]
    return Counter(found)


def pairs() -> list[tuple[str, str, str]]:
    """Title and text of each section in both; the shorter page's end is nobody's pair."""
    titles = ["(top)", *(title for _, title in headings(ENGLISH))]
    return list(zip(titles, sections(ENGLISH), sections(CHINESE), strict=False))


def test_the_headings_are_the_same_level_by_level_and_an_ops_name_is_not_translated() -> None:
    ours, theirs = headings(ENGLISH), headings(CHINESE)
    assert [level for level, _ in ours] == [level for level, _ in theirs]
    ops = [title for _, title in ours if title == title.lower() and " " not in title]
    assert ops == [title for _, title in theirs if title.isascii()]


@pytest.mark.parametrize("title, english, chinese", pairs())
def test_each_section_has_the_same_tables_row_by_row(title: str, english: str, chinese: str) -> None:
    ours, theirs = rows(english), rows(chinese)
    assert len(ours) == len(theirs)
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.count("|") == its.count("|"), its
        assert facts(mine) == facts(its), its
        assert Counter(NUMBER.findall(mine)) == Counter(NUMBER.findall(its)), its


@pytest.mark.parametrize("title, english, chinese", pairs())
def test_each_sections_text_names_the_same_codes_names_and_links(
    title: str, english: str, chinese: str
) -> None:
    assert facts(prose(english)) == facts(prose(chinese))
    points = re.compile(r"(?m)^(?:-|\d+\.) ")
    assert points.findall(english) == points.findall(chinese)
