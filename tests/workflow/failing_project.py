"""A project whose samples fail, each in another way, and one that doesn't."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.workflow.conftest import TINY_RUN, Run, configure, copy_project

ROWS = {
    "refused": "400,2,17,16,15,14,13,0.1,GALAXY",
    "refused_again": "",  # reads the file of the one before
    "unknown": "1,2,17,16,15,14,13,0.1,GALAXI",
    "breaks": "1,2,17,16,15,14,13,0.1,GALAXY",
    "killed": "1,2,17,16,15,14,13,0.1,GALAXY",
    "sound": "1,2,17,16,15,14,13,0.1,GALAXY",
}
NAMES = ["ra", "dec", *(f"model_mag_{band}" for band in "ugriz"), "zspec", "spec_class"]
# samples whose job meets what no file can bring about
FAULTS = """
    if snakemake.params.sample == "breaks":
        [].pop()
    import os, time
    if snakemake.params.sample == "killed":
        os.kill(os.getpid(), 9)
    while os.path.exists("wait"):
        time.sleep(0.1)
"""
HEAD = "def main(snakemake: Any) -> None:\n"


def make(folder: Path) -> Run:
    """Make the project in a folder."""
    run = Run(folder)
    copy_project(folder)
    configure(folder)
    head = ",".join(NAMES)
    for name, row in ROWS.items():
        path = f"data/{name.removesuffix('_again')}.csv"
        if row:
            (folder / path).write_text(f"{head}\n{row}\n")
        content = yaml.safe_load((folder / "config/samples/tiny.yaml").read_text())
        content["source"] = {
            "kind": "file",
            "path": path,
            "columns": {name: name for name in NAMES},
        }
        content["source"]["extinction_applied"] = True
        content["splits"] = {"random": {"kind": "holdout", "group": "object"}}
        content |= {"cuts": [], "features": {"groups": ["colors"]}}
        (folder / f"config/samples/{name}.yaml").write_text(yaml.safe_dump(content))
    configured = {**TINY_RUN, "samples": ["tiny", *ROWS], "bundles": {}, "targets": []}
    config = yaml.safe_dump(configured, sort_keys=False)
    (folder / "config/config.yaml").write_text(config)
    script = folder / "scripts/import_catalogue.py"
    script.write_text(script.read_text().replace(HEAD, HEAD + FAULTS))
    return run


def catalogue(sample: str) -> str:
    """Return the path of a sample's catalogue."""
    return f"results/{sample}/catalogue/catalogue.parquet"


def said(run: Run, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Return all that a run says that has to fail."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=run.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env=environment,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    return done.stdout


def assert_last(text: str, message: str) -> None:
    """Check that a message is the last on the terminal, stands there once and is all of it."""
    assert text.rstrip().endswith("\n\n" + message)
    assert text.count(message.splitlines()[-1]) == 1
    assert "Traceback" not in text


REFUSED = """\
import_catalogue (sample refused) failed (log: logs/import_catalogue/refused.log)\
{more}:
data/refused.csv: column 'ra', row 0 (line 2): 400 is outside [0, 360] deg. \
Correct it, or add the number to source.sentinels if it means 'no value'."""
