"""`python -m taxagent.device.contract`."""

from __future__ import annotations

import os
import sys

from taxagent.device.contract.command import main

if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads: say nothing at exit
        sys.exit(141)
