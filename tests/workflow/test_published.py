"""Published numbers beside the scores of a run, through Snakemake."""

from pathlib import Path

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
def test_the_decision_tree_of_the_course_is_reproduced(tmp_path):
    run = Run(tmp_path / "project")
    copy_project(run.folder)
    (tmp_path / "shared").symlink_to(SHARED.resolve().parent)
    run.snakemake("published", "--cores", "1", "--configfile", "config/published_development.yaml",
                  "--config", "samples=[galaxy_colors_course]")  # fmt: skip
    table = read_csv(run.folder / "results/published.csv").set_index("entry")
    tree = table.loc["data_driven_astronomy_tree"]
    assert tree["verdict"] == "reproduced"
    assert abs(tree["difference"]) < tree["tolerance"]
    assert 0 < tree["ours_low"] < tree["ours"] < tree["ours_high"]
