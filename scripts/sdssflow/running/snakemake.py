"""Snakemake by ``python -m``, where an interrupt is one line from the first moment on."""

import sys

from sdssflow import terminal

if __name__ == "__main__":
    sys.excepthook = terminal.excepthook
    sys.argv[0] = "snakemake"
    from snakemake.cli import main

    main()
