"""May the agent's user open the devices' nodes, and if not: which rule or group is missing? Opens nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from taxagent.host.probes.nodes import place_of
from taxagent.host.probes.users import User, group_name, has_group
from taxagent.model.checks import made
from taxagent.model.lines import CheckLine
from taxagent.model.usb import Recognised, SeenDevice

GROUP = "taxdev"
RULE = "70-taxagent.rules"
_RULES = ("etc/udev/rules.d", "run/udev/rules.d", "usr/local/lib/udev/rules.d", "usr/lib/udev/rules.d")


def nodes(
    seen: Callable[[], tuple[SeenDevice, ...]],
    user: User,
    root: Path = Path("/"),
    group_exists: Callable[[str], bool] = has_group,
) -> Iterator[CheckLine]:
    """Yield whether `user` may open the node of each device of ours, and what is missing where not.

    `root` is where /dev and the rules are looked for. Where no device is plugged, a missing rule or group is
    told all the same.
    """
    if os.name != "posix":
        return
    any_node = False
    for thing in seen():
        place = place_of(thing.location)
        if thing.recognised is not Recognised.PROFILE or place is None:
            continue
        any_node = True
        facts = {"path": place.node, "user": user.name, "group": GROUP, "rule": RULE}
        try:
            there = (root / place.node.lstrip("/")).stat()
        except FileNotFoundError:
            yield made("permissions", "NODE_MISSING", **facts)
            continue
        facts["owner"] = f"{group_name(there.st_gid)} {stat.S_IMODE(there.st_mode):04o}"
        if user.may_write(there):
            yield made("permissions", "NODE_OPEN", **facts)
        else:
            yield made("permissions", _missing(there, root, group_exists), **facts)
    if not any_node:
        yield from _prepared(root, group_exists)


def _missing(node: os.stat_result, root: Path, group_exists: Callable[[str], bool]) -> str:
    """Return the case: the first that is missing of group, rule, the rule's effect, membership."""
    if not group_exists(GROUP):
        return "NODE_SHUT_NO_GROUP"
    if not _ruled(root):
        return "NODE_SHUT_NO_RULE"
    if group_name(node.st_gid) != GROUP or node.st_mode & 0o060 != 0o060:
        return "NODE_SHUT_NOT_APPLIED"
    return "NODE_SHUT_NO_MEMBER"


def _prepared(root: Path, group_exists: Callable[[str], bool]) -> Iterator[CheckLine]:
    """Yield what would keep the next device shut."""
    if not (root / "run/udev").is_dir():  # no udev here: a container, which is given its nodes
        return
    if not group_exists(GROUP):
        yield made("permissions", "GROUP_MISSING", group=GROUP)
    if not _ruled(root):
        yield made("permissions", "RULE_MISSING", rule=RULE)


def _ruled(root: Path) -> bool:
    return any((root / folder / RULE).exists() for folder in _RULES)
