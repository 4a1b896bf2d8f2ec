"""A change of how one source is read reruns no other source; a target reads files as it goes."""

from pathlib import Path

import pytest

from sdssflow.code_digests import Memory, local_modules

SCRIPTS = Path(__file__).parents[2] / "scripts"
MEMORY = Memory()
DOWNLOADS = {
    "plan_chunks",
    "download_chunk",
    "assemble_catalogue",
    "estimate_download",
    "fetch_file",
}


@pytest.mark.parametrize(
    ("folder", "rerun"),
    [
        ("files", {"import_catalogue", "estimate_partition"}),
        ("bulk", {"import_bulk"}),
        ("download", DOWNLOADS),
    ],
)
def test_a_change_reruns_only_the_scripts_of_its_source(folder, rerun):
    changed = set((SCRIPTS / "sdssflow/acquire" / folder).glob("[a-z]*.py"))
    dependent = {
        script.stem
        for script in SCRIPTS.glob("*.py")
        if changed & local_modules(script, SCRIPTS, MEMORY)
    }
    assert dependent == rerun
