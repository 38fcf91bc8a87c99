"""The entry point of the `nommerctl` command and of `python -m nommerctl`."""

import sys

from nommerctl.cli.funnel import run


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
