"""Reports of a finished run in small."""

import pytest

from tests.report.small_run import Results


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A report that is there, and the results it was made of; to be left as they are."""
    results = Results(tmp_path_factory.mktemp("run"))
    results.pages = results.build()
    return results


@pytest.fixture(scope="session")
def pages(built):
    return built.pages


@pytest.fixture(scope="session")
def svg_pages(tmp_path_factory):
    return Results(tmp_path_factory.mktemp("run"), "svg").build()


@pytest.fixture(scope="session")
def with_targets(tmp_path_factory):
    """The same with two targets."""
    results = Results(tmp_path_factory.mktemp("run"), with_targets=True)
    results.pages = results.build()
    return results
