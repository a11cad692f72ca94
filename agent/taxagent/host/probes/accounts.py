"""Do the users and groups exist to whom the configuration gives a role? One that does not is a silent no."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from taxagent.host.probes.users import has_group, has_user
from taxagent.model.checks import made
from taxagent.model.lines import CheckLine

Exists = Callable[[str], bool]


def roles(
    users: Mapping[str, str],
    groups: Mapping[str, str],
    user_exists: Exists = has_user,
    group_exists: Exists = has_group,
) -> Iterator[CheckLine]:
    """Yield each name (to its role) that the system does not know, or that all are known."""
    unknown = False
    for case, names, exists in (
        ("USER_UNKNOWN", users, user_exists),
        ("GROUP_UNKNOWN", groups, group_exists),
    ):
        for name, role in names.items():
            if not exists(name):
                unknown = True
                yield made("access", case, name, name=name, role=role)
    if not users and not groups:
        yield made("access", "ACCESS_NOBODY")
    elif not unknown:
        yield made("access", "ACCESS_OK", count=str(len(users) + len(groups)))
