"""The documentation as a site, built once."""

import subprocess
import sys

import pytest

from tests.docs.markdown import ROOT


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    strict = ["-W", "--keep-going", "-q", "-b", "html", "-d", folder / "doctrees"]
    # the contents beside each page name its sections and not each function too: a third of the time
    strict += ["-D", "toc_object_entries=0"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *strict, ROOT / "docs", folder / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "html").resolve()
