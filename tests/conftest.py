"""How tests are shared out among processes (make test): file by file, the workflow's together.

All tests of the workflow look at one finished run, which takes a minute to make. They are the
longest group, so they begin first.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in this hook too
def pytest_collection_modifyitems(items):
    for item in items:
        name = "workflow" if of_the_workflow(item) else str(item.path)
        item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=lambda item: not of_the_workflow(item))


def of_the_workflow(item):
    return HERE / "workflow" in item.path.parents
