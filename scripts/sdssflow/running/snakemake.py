"""Snakemake by ``python -m``, with one line for an interrupt from the start."""

import sys

from sdssflow import terminal

if __name__ == "__main__":
    sys.excepthook = terminal.excepthook
    sys.argv[0] = "snakemake"
    from snakemake.cli import main

    main()
