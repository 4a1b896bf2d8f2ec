"""Published numbers beside the scores of a run, through Snakemake."""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from sdssflow.tables import read_csv
from tests.workflow.conftest import Run, copy_project

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parents[2]
SHARED = ROOT / "../shared/data"


def test_a_run_is_compared_with_what_was_published(finished, tmp_path):
    run = finished.copy(tmp_path / "copy")
    template = yaml.safe_load((ROOT / "config/published/way2009_main_galaxies.yaml").read_text())
    comparison = {"sample": "tiny", "split": "published", "model": "linear", "because": "a test"}
    entry = run.folder / "config/published/tiny.yaml"
    result = run.folder / "results/published.csv"

    def verdict(value, tolerance):
        comparisons = [comparison | {"tolerance": tolerance}]
        entry.write_text(yaml.safe_dump(template | {"value": value, "comparisons": comparisons}))
        assert run.planned("published") == {"check_published": 1, "published": 1}
        run.snakemake("published")
        table = read_csv(result).set_index("entry")
        assert set(table.drop("tiny")["verdict"]) <= {"not run", "not comparable"}
        return table.loc["tiny"]

    near = verdict(0.02, 0.5)
    scores = read_csv(run.folder / "results/tiny/regress/published/scores.csv")
    of_linear = scores[(scores["model"] == "linear") & (scores["seed"].astype(str) == "all")]
    ours = of_linear[of_linear["metric"] == "rmse"].iloc[0]
    assert near["verdict"] == "reproduced"
    assert near["ours"] == ours["value"]
    assert near["digest"] == ours["data_digest"]
    assert near["ours_low"] == ours["lower"] < ours["upper"] == near["ours_high"]
    assert verdict(1.0, 0.5)["verdict"] == "differs"
    assert run.planned("published") in ({}, {"published": 1})


def test_an_entry_that_is_not_valid_stops_the_run_before_it_starts(finished):
    entry = finished.folder / "config/published/wrong.yaml"
    entry.write_text("title: A number\nvalu: 3\n")
    try:
        done = finished.snakemake("published", "--dry-run", check=False)
        assert done.returncode
        assert "config/published/wrong.yaml" in done.stdout + done.stderr
        assert "valu: unknown key (did you mean 'value'?)" in done.stdout + done.stderr
    finally:
        entry.unlink()


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no development rows beside the checkout")
def test_numbers_on_the_table_of_the_course_have_the_verdicts_of_the_page(tmp_path):
    run = Run(tmp_path / "project")
    copy_project(run.folder)
    rows = pd.read_csv(SHARED / "sdss_galaxy_colors_50k.csv.gz")
    # the public file, to the byte: the sample has its SHA-256
    write_array(rows, tmp_path / "mirror/sdss_galaxy_colors.npy")
    samples = ", ".join(f"galaxy_colors_course{of}" for of in ("", "_galaxies", "_quasars"))
    run.snakemake("published", "--cores", "1", "--configfile", "config/published_public.yaml",
                  "--config", f"samples=[{samples}]",
                  f"downloads={{mirror: {tmp_path / 'mirror'}}}")  # fmt: skip
    table = read_csv(run.folder / "results/published.csv").set_index("entry")
    table = table[table["sample"].str.startswith("galaxy_colors_course")]
    page = (ROOT / "docs/published_numbers.md").read_text(encoding="utf-8")
    for entry, its in table.iterrows():
        ours = f"{its.ours:.4f} ({its.ours_low:.4f} to {its.ours_high:.4f})"
        line = re.search(rf"^\| `{entry}` \| [\d.]+ \| (.*) \| [\d.]+ \| (.*) \|$", page, re.M)
        assert line and line.groups() == (ours, its.verdict)
    assert len(table) == 6
    assert table.loc["larranaga_tree", "difference"] < -table.loc["larranaga_tree", "tolerance"]


def write_array(rows, path):
    """Write records as NumPy wrote them in 2017, when headers were filled up to 16 bytes."""
    records = rows.to_records(index=False, column_dtypes={"spec_class": "S6"})
    words = {"descr": records.dtype.descr, "fortran_order": False, "shape": records.shape}
    described = "{" + "".join(f"{key!r}: {value!r}, " for key, value in words.items()) + "}"
    described += " " * (-(len(described) + 11) % 16) + "\n"
    path.parent.mkdir()
    size = len(described).to_bytes(2, "little")
    path.write_bytes(b"\x93NUMPY\x01\x00" + size + described.encode() + records.tobytes())
