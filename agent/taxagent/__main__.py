"""`python -m taxagent`: the command line without an installed script."""

from taxagent.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
