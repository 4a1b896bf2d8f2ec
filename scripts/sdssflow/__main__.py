"""``python -m sdssflow`` is the command ``sdssflow``."""

import sys

from sdssflow import terminal


def main() -> int:
    """Run the command; interrupts have no traceback even during imports."""
    sys.excepthook = terminal.excepthook
    from sdssflow import command

    return command.main()


if __name__ == "__main__":
    sys.exit(main())
