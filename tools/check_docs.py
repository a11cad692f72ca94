"""Check what no compiler checks: links, the READMEs side by side, the lock file, paths of one machine.

Run as `python -m tools.check_docs` from the root; prints one line a finding and exits 1 if there is any.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

FENCE = re.compile(r"^\s*(```+|~~~+)")
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
CODE = re.compile(r"`[^`]*`")
TESTED = re.compile(r"^<!-- tested by (\S+) -->$")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
ONE_MACHINE = re.compile(r"(?<![\w.$}>-])/(?:work|root|Users/\w+|home/\w+)/[\w.]|[A-Z]:\\Users\\\w")
INDEX = re.compile(r"https?:|--(?:extra-)?index-url|--find-links|--trusted-host|file:")
INDEX_HOST = re.compile(r"pypi\.org|pythonhosted\.org")
TWINS = (("README.md", "README.zh-CN.md"),)
CHANGELOG_HEADINGS = ("Protocol", "Journal schema")


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line) of what stands outside fenced blocks."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and line.strip().startswith(fence):
            fence = ""
        elif not fence:
            yield number, line


def headings(text: str) -> list[tuple[int, str]]:
    """Return (level, title) of each heading, in order."""
    found = (HEADING.match(line) for _, line in prose(text))
    return [(len(mark[1]), mark[2]) for mark in found if mark]


def anchors(text: str) -> set[str]:
    """Return the anchors that a Markdown renderer of the GitHub kind gives to the headings."""
    seen: dict[str, int] = {}
    names = set()
    for _, title in headings(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        names.add(f"{slug}-{count}" if count else slug)
    return names


def broken_links(root: Path, page: Path) -> Iterator[str]:
    """Yield a finding for each relative link of `page` whose file or anchor is not there."""
    for number, line in prose(page.read_text(encoding="utf-8")):
        for mark in LINK.finditer(CODE.sub("", line)):
            target = unquote(mark[1])
            if ELSEWHERE.match(target):
                continue
            path, _, anchor = target.partition("#")
            aim = (page.parent / path).resolve() if path else page
            where = f"{page.relative_to(root)}:{number}"
            if not aim.is_relative_to(root) or not aim.exists():
                yield f"{where}: no such file: {target}"
            elif anchor and aim.suffix == ".md" and anchor not in anchors(aim.read_text(encoding="utf-8")):
                yield f"{where}: no such heading: {target}"


def untested_blocks(root: Path, page: Path) -> Iterator[str]:
    """Yield a finding where `<!-- tested by FILE -->` names no test, or no code block follows it."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, (line, following) in enumerate(pairwise([*lines, ""]), 1):
        mark = TESTED.match(line)
        where = f"{page.relative_to(root)}:{number}"
        if mark and not (root / mark[1]).is_file():
            yield f"{where}: no such test: {mark[1]}"
        if mark and not following.startswith("```"):
            yield f"{where}: a code block must follow"


def different_twins(root: Path) -> Iterator[str]:
    """Yield a finding where a page and its translation do not have the same headings, level by level."""
    for name, twin in TWINS:
        levels, twin_levels = (_levels(root / page) for page in (name, twin))
        if levels != twin_levels:
            yield f"{twin}: heading levels {twin_levels}, but {name} has {levels}"


def _levels(page: Path) -> list[int]:
    return [level for level, _ in headings(page.read_text(encoding="utf-8"))]


def changelog_gaps(root: Path) -> Iterator[str]:
    """Yield a finding for each heading that a release in CHANGELOG.md lacks."""
    release, titles = "", set[str]()
    for level, title in [*headings((root / "CHANGELOG.md").read_text(encoding="utf-8")), (2, "")]:
        if level == 2:
            if release:
                missing = [name for name in CHANGELOG_HEADINGS if name not in titles]
                yield from (f"CHANGELOG.md: {release} has no heading {name!r}" for name in missing)
            release, titles = title, set()
        else:
            titles.add(title)


def index_names(root: Path) -> Iterator[str]:
    """Yield a finding for each line of a lock file that says where packages come from."""
    for lock in sorted(root.glob("requirements*.txt")):
        for number, line in enumerate(lock.read_text(encoding="utf-8").splitlines(), 1):
            if INDEX.search(line):
                yield f"{lock.name}:{number}: names a package index: {line.strip()}"


def machine_paths(root: Path, files: list[Path]) -> Iterator[str]:
    """Yield a finding for each line that names a folder of one machine or a package index."""
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            where = f"{path.relative_to(root)}:{number}"
            if mark := ONE_MACHINE.search(line):
                yield f"{where}: a path of one machine: {mark[0]}..."
            if mark := INDEX_HOST.search(line):
                yield f"{where}: names a package index: {mark[0]}"


def tracked(root: Path) -> list[Path]:
    """Return the files that git knows or would add, sorted."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return sorted(path for name in listing.split("\0") if name and (path := root / name).is_file())


def findings(root: Path) -> Iterator[str]:
    """Yield all findings for the repository at `root`."""
    files = tracked(root)
    for page in files:
        if page.suffix == ".md":
            yield from broken_links(root, page)
            yield from untested_blocks(root, page)
    yield from different_twins(root)
    yield from changelog_gaps(root)
    yield from index_names(root)
    yield from machine_paths(root, files)


def main() -> int:
    """Print the findings; return 1 if there is any."""
    found = list(findings(Path(__file__).resolve().parent.parent))
    for line in found:
        print(line)
    print(f"docs: {len(found)} findings" if found else "docs: links, READMEs, lock file, paths in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
