"""Types that were built beforehand are safe to use for the first time in several threads at once."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: without `build_types` this ends by SIGSEGV (msgspec 0.22.0).
_FIRST_USES = """
import sys, threading
import msgspec
from taxclient.protocol.built import build_types

DEEP = b'{"inner":{"inner":{"number":1}},"rest":[{"inner":{"number":1}}]}'
LEVELS = ["class L0(msgspec.Struct):\\n number: int = 0\\n"]
for level in range(1, 30):
    LEVELS.append(
        f"class L{level}(msgspec.Struct):\\n"
        f" inner: L{level - 1} | None = None\\n"
        f" rest: tuple[L{level - 1}, ...] = ()\\n"
        " number: int = 0\\n"
    )
sys.setswitchinterval(1e-6)
for _ in range(40):
    world = {"msgspec": msgspec}
    exec("".join(LEVELS), world)
    build_types()
    start = threading.Barrier(3)

    def first_use(kind):
        start.wait()
        msgspec.json.decode(DEEP, type=kind)

    threads = [threading.Thread(target=first_use, args=(world[name],)) for name in ("L29", "L15", "L28")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
"""


def test_the_first_use_of_a_type_is_safe_in_several_threads_at_once() -> None:
    ran = subprocess.run([sys.executable, "-c", _FIRST_USES], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
