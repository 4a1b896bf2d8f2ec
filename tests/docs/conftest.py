"""The documentation as a site, built once, and one of few pages."""

import subprocess
import sys

import pytest

from tests.docs.markdown import ROOT


def build(source, folder, *options):
    """Build the pages of a folder with the configuration of the documentation."""
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-c", ROOT / "docs"]
    done = subprocess.run(
        [*command, "-d", folder / "doctrees", *options, source, folder / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "html").resolve()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    # the contents beside each page name its sections and not each function too: a third of the time
    options = ["-W", "--keep-going", "-D", "toc_object_entries=0"]
    return build(ROOT / "docs", tmp_path_factory.mktemp("site"), *options)


@pytest.fixture
def small_site(tmp_path):
    """One page of the documentation and a first page: all that a search needs."""
    source = tmp_path / "docs"
    source.mkdir()
    page = "photometric_redshifts.md"
    (source / page).write_text((ROOT / "docs" / page).read_text())
    (source / "index.md").write_text(f"# Pages\n\n```{{toctree}}\n{page}\n```\n")
    return build(source, tmp_path, "-D", "extensions=myst_parser")
