"""The docs check finds what it says it finds, and nothing in a page that is in order."""

from __future__ import annotations

from pathlib import Path

from tools import check_docs


def page(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_link_to_a_file_and_a_heading_that_exist_is_in_order(tmp_path: Path) -> None:
    page(tmp_path, "docs/b.md", "# Exit codes, and 退出码\n")
    start = page(
        tmp_path,
        "a.md",
        "# A\n[b](docs/b.md) [c](docs/b.md#exit-codes-and-退出码) [a](#a) [x](https://x.test/)\n",
    )
    assert list(check_docs.broken_links(tmp_path, start)) == []


def test_a_link_to_nothing_is_found_with_its_line(tmp_path: Path) -> None:
    start = page(tmp_path, "a.md", "# A\n\n[b](b.md)\n[c](#other)\n")
    assert list(check_docs.broken_links(tmp_path, start)) == [
        "a.md:3: no such file: b.md",
        "a.md:4: no such heading: #other",
    ]


def test_a_link_out_of_the_repository_is_found(tmp_path: Path) -> None:
    page(tmp_path, "outside.md", "# O\n")
    start = page(tmp_path, "repo/a.md", "[o](../outside.md)\n")
    assert list(check_docs.broken_links(tmp_path / "repo", start)) == ["a.md:1: no such file: ../outside.md"]


def test_links_in_code_are_not_links(tmp_path: Path) -> None:
    start = page(tmp_path, "a.md", "`[b](b.md)`\n\n```python\n[b](b.md)\n# no heading\n```\n")
    assert list(check_docs.broken_links(tmp_path, start)) == []
    assert check_docs.headings(start.read_text(encoding="utf-8")) == []


def test_a_repeated_heading_gets_a_number() -> None:
    assert check_docs.anchors("# Same `thing`\n## Same thing\n## [Same](x.md) thing\n") == {
        "same-thing",
        "same-thing-1",
        "same-thing-2",
    }


def test_a_tested_block_names_its_test_and_is_a_code_block(tmp_path: Path) -> None:
    page(tmp_path, "tests/t.py", "")
    good = page(tmp_path, "good.md", "<!-- tested by tests/t.py -->\n```console\n$ x\n```\n")
    bad = page(
        tmp_path,
        "bad.md",
        "<!-- tested by tests/gone.py -->\n```console\n```\n<!-- tested by tests/t.py -->\ntext\n",
    )
    assert list(check_docs.untested_blocks(tmp_path, good)) == []
    assert list(check_docs.untested_blocks(tmp_path, bad)) == [
        "bad.md:1: no such test: tests/gone.py",
        "bad.md:4: a code block must follow",
    ]


def test_a_translation_that_lacks_a_heading_is_found(tmp_path: Path) -> None:
    page(tmp_path, "README.md", "# A\n## B\n")
    page(tmp_path, "README.zh-CN.md", "# 甲\n")
    assert list(check_docs.different_twins(tmp_path)) == [
        "README.zh-CN.md: heading levels [1], but README.md has [1, 2]"
    ]


def test_a_release_without_its_two_headings_is_found(tmp_path: Path) -> None:
    page(tmp_path, "CHANGELOG.md", "# C\n## 2\n### Protocol\n### Journal schema\n## 1\n### Protocol\n")
    assert list(check_docs.changelog_gaps(tmp_path)) == ["CHANGELOG.md: 1 has no heading 'Journal schema'"]


def test_a_lock_file_that_names_an_index_is_found_also_in_a_comment(tmp_path: Path) -> None:
    page(
        tmp_path,
        "requirements.txt",
        "# from https://index.test/simple\na==1 \\\n    --hash=sha256:00\n--find-links x\n",
    )
    found = list(check_docs.index_names(tmp_path))
    assert [line.split(":")[1] for line in found] == ["1", "4"]


def test_a_path_of_one_machine_is_found(tmp_path: Path) -> None:
    mine = page(
        tmp_path, "a.txt", "fine: ~/x /etc/taxagent /home/ homework/x\n" + "bad: " + "/home" + "/me/x\n"
    )
    assert list(check_docs.machine_paths(tmp_path, [mine])) == [
        "a.txt:2: a path of one machine: " + "/home" + "/me/x..."
    ]


def test_a_package_index_is_found_in_any_file(tmp_path: Path) -> None:
    mine = page(tmp_path, "a.py", "INDEX = 'files.python" + "hosted.org'\n")
    assert list(check_docs.machine_paths(tmp_path, [mine])) == [
        "a.py:1: names a package index: python" + "hosted.org"
    ]


def test_bytes_that_are_no_text_are_left_alone(tmp_path: Path) -> None:
    vector = tmp_path / "v.bin"
    vector.write_bytes(b"\xff\xfe" + b"/root" + b"/x")
    assert list(check_docs.machine_paths(tmp_path, [vector])) == []
