"""`python -m taxagent.device.contract`."""

from __future__ import annotations

import sys

from taxagent.device.contract.command import main

if __name__ == "__main__":
    sys.exit(main())
