"""Print what a user is told about each bad input.

PYTHONPATH=scripts python -m tests.acquire.list_bad_inputs
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from sdssflow.acquire.catalogue import read_catalogue
from sdssflow.acquire.errors import CatalogueError
from sdssflow.configuration.sources import FileSource
from tests.acquire.bad_inputs import CASES as OTHERS
from tests.acquire.bad_inputs import BadInput
from tests.acquire.bad_texts import CONTAINERS, TEXTS
from tests.acquire.good_table import good_columns

CASES = [*CONTAINERS, *TEXTS, *OTHERS]


def message(case: BadInput, folder: Path) -> str:
    """Return the message that importing the bad input ends with; '' if it is taken."""
    path = case.make(folder)
    settings = {"kind": "file", "path": str(path), "columns": good_columns(), **case.settings}
    try:
        read_catalogue(path, FileSource.model_validate(settings), "bad")
    except CatalogueError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    for case in CASES:
        with tempfile.TemporaryDirectory() as name:
            text = message(case, Path(name)).replace(f"{name}/", "")
        print(f"{case.name}\n    {text}")
