"""How tests are shared out among processes (make test): file by file, the workflow's together.

All tests of the workflow look at one finished run, which takes a minute to make.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in this hook too
def pytest_collection_modifyitems(items):
    for item in items:
        together = HERE / "workflow" in item.path.parents
        item.add_marker(pytest.mark.xdist_group("workflow" if together else str(item.path)))
