"""Reports of a finished run in small."""

import pytest

from tests.report.small_run import Results


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path)


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    return Results(tmp_path_factory.mktemp("run")).build()


@pytest.fixture(scope="session")
def svg_pages(tmp_path_factory):
    return Results(tmp_path_factory.mktemp("run"), "svg").build()
