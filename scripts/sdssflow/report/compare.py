"""Set two finished runs side by side: a page of what differs, scores first.

``sdssflow compare ../before . -o comparison.html``: each run is given by its folder or by its
``results``. Neither run is changed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sdssflow.files import write_text
from sdssflow.provenance.lineage import RESULTS, LineageError
from sdssflow.report.rendering import render_comparison
from sdssflow.report.runs_compared import compare_runs, read_run
from sdssflow.report.tables import ReportError


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page and print what it says in short; 0, or 1 if a folder holds no run."""
    parser = argparse.ArgumentParser(prog="sdssflow compare", description=__doc__.splitlines()[0])
    parser.add_argument("first", help="folder of a finished run, or its results")
    parser.add_argument("second", help="folder of another")
    parser.add_argument("-o", "--output", default="comparison.html", help="the page")
    options = parser.parse_args(arguments)
    try:
        runs = [read_run(folder) for folder in (options.first, options.second)]
        sections = compare_runs(*runs)
        reports = dict(zip(_names([one.folder for one in runs]), runs, strict=True))
        links = {name: str((one.folder / "report.html").resolve()) for name, one in reports.items()}
        output = Path(options.output).resolve()
        write_text(output, render_comparison(str(output), links, sections))
    except (ReportError, LineageError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(sections[0].text))
    print(f"\nThe comparison: {os.path.relpath(output)}")
    return 0


def _names(folders: Sequence[Path]) -> list[str]:
    """Return what two runs are called: the shortest ends of their paths that differ."""
    paths = [folder.resolve() for folder in folders]
    parts = [path.parts[:-1] if path.name == RESULTS else path.parts for path in paths]
    longest = max(map(len, parts))
    for count in range(1, longest + 1):
        names = ["/".join(of[-count:]) for of in parts]
        if names[0] != names[1]:
            return names
    return [f"{names[0]} (first)", f"{names[1]} (second)"]


if __name__ == "__main__":
    sys.exit(main())
