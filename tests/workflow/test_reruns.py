"""What reruns after an edit: exactly what depends on it.

Each case edits a file of the finished run, asks Snakemake for a dry run, and compares the rules
that would start with the expected ones.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager

import pytest

from tests.workflow.conftest import Run, configure, copy_project

pytestmark = pytest.mark.workflow
CATALOGUE = "results/tiny/catalogue/catalogue.parquet"

SCORES_OF_POINTS = {"score_redshifts", "plot_redshifts", "build_report"}
REGRESS_AFTER_TRAINING = {"predict_redshifts", *SCORES_OF_POINTS}
SCORES_OF_PDFS = {"weigh_spectra", "score_pdfs", "stack_pdfs", "plot_pdfs", "build_report"}
# zphot stands beside p(z) in one table, so its scores follow
ESTIMATES = {
    "build_bundle", "estimate_partition", "gather_estimates", "check_estimates", "plot_estimates",
    "compare_target",
}  # fmt: skip
PDFS_AFTER_CALIBRATION = {"predict_pdfs", *SCORES_OF_PDFS, *SCORES_OF_POINTS}
PDFS_AFTER_TRAINING = {"calibrate_pdfs", "explain_redshifts", *PDFS_AFTER_CALIBRATION, *ESTIMATES}
REGRESSORS = {
    "search_settings", "train_regressor", "train_network", *REGRESS_AFTER_TRAINING,
    *PDFS_AFTER_TRAINING,
}  # fmt: skip
CLASSIFY_AFTER_TRAINING = {
    "predict_classes", "score_classes", "explain_classes", "plot_classes", "build_report",
}  # fmt: skip
ENSEMBLE = {"search_settings", "train_network", *PDFS_AFTER_TRAINING}
VOTE = {"train_classifier", "check_published", *CLASSIFY_AFTER_TRAINING}
TINY_AFTER_FEATURES = {
    "split_sample", "find_clusters", "find_outliers", "embed_features", "plot_clusters",
    "plot_flow", *REGRESSORS,
}  # fmt: skip
TINY_AFTER_CATALOGUE = {
    "clean_catalogue", "plot_flow", "build_features", "plot_catalogue", *TINY_AFTER_FEATURES,
}  # fmt: skip
TINY_AFTER_IMPORT = {"import_catalogue", *TINY_AFTER_CATALOGUE}
MOCK_AFTER_SKY = {
    "plan_chunks", "download_chunk", "assemble_catalogue", "clean_catalogue", "plot_flow",
    "build_features", "plot_catalogue", "split_sample", "find_clusters", "find_outliers",
    "embed_features", "plot_clusters", "train_classifier", *CLASSIFY_AFTER_TRAINING,
}  # fmt: skip

# file: {name: (old text, new text, rules that rerun)}
CASES = {
    "config/config.yaml": {
        "nothing": ("seeds:", "seeds:", set()),
        "a comment in the configuration": ("seeds:", "# why\nseeds:", set()),
        "order of keys": (
            "  replicates: 20\n  level: 0.95\n", "  level: 0.95\n  replicates: 20\n", set(),
        ),
        "bootstrap replicates": (
            "replicates: 20", "replicates: 21",
            {"score_classes", "explain_classes", "plot_classes", "check_published",
             "plot_estimates", "explain_redshifts",
             "find_clusters", "plot_clusters",  # its agreement with the classes has intervals
             *SCORES_OF_POINTS, *SCORES_OF_PDFS},
        ),
        "epochs of the network": (
            "max_epochs: 3", "max_epochs: 4", {"train_network", *REGRESS_AFTER_TRAINING},
        ),
        "epochs of the ensemble": ("max_epochs: 4", "max_epochs: 5", ENSEMBLE),
        "the search for settings": ("first_epochs: 1", "first_epochs: 2", ENSEMBLE),
        "magnitude bins of the calibration": (
            "magnitude_bins: 2", "magnitude_bins: 3", PDFS_AFTER_TRAINING,
        ),
        "quantiles that are kept": (
            "magnitude_bins: 2", "magnitude_bins: 2\n  quantiles: 50",
            PDFS_AFTER_CALIBRATION,
        ),
        "bins of the PIT": (
            "pit_bins: 8", "pit_bins: 9", {"score_pdfs", "stack_pdfs", "plot_pdfs", "build_report"},
        ),
        "neighbours that weigh spectra": (
            "pit_bins: 8", "pit_bins: 8\n  weight_neighbours: 40",
            SCORES_OF_PDFS | {"compare_target"},
        ),
        "how much is permuted": (
            "permutations: 1", "permutations: 2",
            {"explain_classes", "explain_redshifts", "plot_classes", "plot_redshifts",
             "build_report"},
        ),
        "one model less to look into": (
            "  - linear\n  rows", "  rows", {"explain_redshifts", "plot_redshifts", "build_report"},
        ),
        "a member of the vote": (
            "kind: nearest_neighbours", "kind: nearest_neighbours\n    neighbours: 9", VOTE,
        ),
        "the order of models": (
            "  mean:\n    kind: mean\n  linear:\n    kind: linear\n",
            "  linear:\n    kind: linear\n  mean:\n    kind: mean\n",
            SCORES_OF_POINTS,
        ),
        "how SDSS is asked": (
            "samples:", "downloads: {pause_s: 2.0, attempts: 3, contact: a@b.org}\nsamples:",
            {"build_report"},
        ),
    },
    "config/samples/tiny.yaml": {
        "a cut": ("maximum: 0.4", "maximum: 0.35", TINY_AFTER_CATALOGUE),
        "features": (
            "  - magnitude_errors\n", "",
            {"build_features", "plot_catalogue", *TINY_AFTER_FEATURES},
        ),
        "a split": ("validation: 0.1", "validation: 0.2", {"split_sample", *REGRESSORS}),
        "a figure": (
            "  - color_redshift\n", "  - color_redshift\n  - redshifts\n",
            {"plot_catalogue", "build_report"},
        ),
        "title": ("title: Main", "title: Some of the Main", {"build_report"}),
    },
    "config/targets/unknown.yaml": {
        "title of a target": ("Galaxies without", "Some without", {"build_report"}),
    },
    "config/samples/mock.yaml": {
        "what is asked of SDSS": ("column: z_warning", "column: clean", MOCK_AFTER_SKY),
        "what is expected of SDSS": (
            "  chunks: 2\n", "  chunks: 2\n  expected: {rows: 9, according_to: nobody}\n",
            {"build_report"},
        ),
        "the simulated sky": (
            "objects: 1500", "objects: 1600", {"simulate_sky", *MOCK_AFTER_SKY},
        ),
    },
    "scripts/skyserver_standin/server.py": {
        "the stand-in": ("SQL_TIMEOUT = 600", "SQL_TIMEOUT = 601", MOCK_AFTER_SKY),
    },
    "scripts/plot_flow.py": {
        "a script": (
            "def main(snakemake):\n", "def main(snakemake):\n    print()\n",
            {"plot_flow", "build_report"},
        ),
    },
    "scripts/sdssflow/prepare/figures.py": {
        "a helper module": ("height=0.6", "height=0.7", {"plot_flow", "build_report"}),
    },
    "scripts/sdssflow/photometry.py": {
        "a helper of a helper": (
            '"r": 1.2e-10', '"r": 1.3e-10',
            {"simulate_sky", *MOCK_AFTER_SKY, "plot_filters", *TINY_AFTER_FEATURES,
             "check_published"},
        ),
        "a comment in a helper": ("POGSON = ", "# Pogson's ratio\nPOGSON = ", set()),
        "a docstring of a helper": ('"""Magnitudes, fluxes', '"""Of magnitudes, fluxes', set()),
    },
    "scripts/sdssflow/regress/networks.py": {
        "what trains one kind of model": (
            "BLOCK = 4096", "BLOCK = 4095", {"train_network", *REGRESS_AFTER_TRAINING},
        ),
    },
    "scripts/sdssflow/report/templates/page.html.j2": {
        "a template of the report": ("<html", "<html ", {"build_report"}),
    },
    "rules/prepare.smk": {
        "resources of a rule": ("needs(600, 10", "needs(700, 10", set()),
        "message of a rule": ("Applying the", "Now applying the", set()),
    },
    "rules/common.smk": {
        "a function of the rules": (
            'seed}" for name in names]', 'seed}" for name in names[:1]]', VOTE,
        ),
    },
    "data/tiny.parquet": {"a sample's data": (None, None, TINY_AFTER_IMPORT)},
}  # fmt: skip


def last_line(done):
    """Return the last line on the terminal."""
    return (done.stdout + done.stderr).rstrip().splitlines()[-1]


@contextmanager
def edited(path, old, new):
    """Change a file for the time of the block; content and time stamp come back."""
    before, stat = path.read_bytes(), path.stat()
    if old is None:
        path.write_bytes(before + b" ")
    else:
        text = before.decode()
        assert old in text, f"{path} has no {old!r}"
        if old != new:
            path.write_text(text.replace(old, new))
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize(
    ("file", "name"), [(file, name) for file, cases in CASES.items() for name in cases]
)
def test_an_edit_reruns_what_depends_on_it_and_nothing_else(finished, file, name):
    old, new, expected = CASES[file][name]
    with edited(finished.folder / file, old, new):
        planned = finished.planned()
    assert set(planned) == expected | ({"write_crate"} if "build_report" in expected else set())


def test_a_figure_that_a_sample_does_not_ask_for_is_refused(finished):
    done = finished.snakemake("--dry-run", "results/mclass/explore/redshifts.png", check=False)
    assert done.returncode == 1
    words = "results/mclass/explore/redshifts.png: no rule has this name or makes this file"
    assert words in done.stdout.rstrip().splitlines()[-1]


def test_a_figure_is_made_again_with_the_further_format_that_it_was_never_drawn_in(finished):
    path, figure = finished.folder / "config/config.yaml", "results/tiny/clean/flow.png"
    before = path.read_text()
    path.write_text(before.replace("dpi: 50", "dpi: 60\n  also: [pdf]"))
    try:
        assert finished.planned(figure) == {"plot_flow": 1}
        assert finished.planned("results/tiny/clean/flow.csv") == {}
    finally:
        path.write_text(before)
    assert finished.planned(figure) == {}


def test_one_model_more_trains_one_model(finished):
    path = finished.folder / "config/config.yaml"
    with edited(path, "regressors:\n", "regressors:\n  quadratic: {kind: polynomial}\n"):
        planned = finished.planned()
    assert planned == {
        "train_regressor": 1, "predict_redshifts": 1, "score_redshifts": 1, "plot_redshifts": 1,
        "build_report": 1, "write_crate": 1,
    }  # fmt: skip


def test_one_seed_more_keeps_what_the_other_seeds_trained(finished):
    path = finished.folder / "config/config.yaml"
    with edited(path, "seeds:\n- 1\n", "seeds:\n- 1\n- 2\n"):
        planned = finished.planned()
    assert (planned["split_sample"], planned["train_regressor"]) == (3, 3)
    assert (planned["train_classifier"], planned["train_network"]) == (6, 3)
    assert (planned["search_settings"], planned["calibrate_pdfs"]) == (1, 2)
    assert not {"import_catalogue", "clean_catalogue", "build_features", "find_clusters"} & set(
        planned
    )


def test_only_the_edited_sample_reruns(finished):
    path = finished.folder / "config/samples/tiny.yaml"
    with edited(path, "maximum: 0.4", "maximum: 0.35"):
        jobs = finished.jobs()
    assert ("clean_catalogue", "results/tiny/clean/catalogue.parquet") in jobs
    assert not any("mclass" in output for _, output in jobs)


def test_time_stamps_of_sources_alone_do_not_rerun(finished):
    for name in (
        "scripts/sdssflow/photometry.py",
        "config/config.yaml",
        "rules/prepare.smk",
    ):
        path = finished.folder / name
        stat = path.stat()
        path.touch()
        try:
            assert finished.planned() == {}
        finally:
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_source_is_known_by_what_it_holds(finished):
    path = finished.folder / "data/tiny.parquet"
    before, stat = path.read_bytes(), path.stat()
    try:
        path.touch()
        assert finished.planned() == {}
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))  # the size and time it had
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert set(finished.planned()) == TINY_AFTER_IMPORT | {"write_crate"}
    finally:
        path.write_bytes(before)
    assert finished.planned() == {}


def test_a_source_from_the_future_is_read_once(tmp_path):
    run = Run(tmp_path)
    copy_project(run.folder)
    configure(run.folder)
    later = time.time() + 3600
    os.utime(run.folder / "data/tiny.parquet", (later, later))
    run.snakemake("--cores", "1", CATALOGUE)
    assert run.planned(CATALOGUE) == {}


@pytest.mark.parametrize(
    "arguments", [["--rerun-triggers", "mtime"], ["--rerun-triggers", "mtime", "input"]]
)
def test_no_report_states_a_configuration_that_did_not_make_its_results(finished, arguments):
    path = finished.folder / "config/config.yaml"
    report = (finished.folder / "results/report.html").read_bytes()
    with edited(path, "replicates: 20", "replicates: 21"):
        done = finished.snakemake(*arguments, "--forcerun", "build_report", check=False)
    assert done.returncode == 1
    assert "made with other parameters, code or inputs" in last_line(done)
    advice = last_line(done).partition("snakemake --forcerun ")[2].split()
    assert {"score_redshifts", "score_classes", "score_pdfs"} <= set(advice)
    assert (finished.folder / "results/report.html").read_bytes() == report


def test_a_lost_memory_of_snakemake_is_told_and_the_advice_leads_out(finished, tmp_path):
    run = finished.copy(tmp_path / "lost")
    shutil.rmtree(run.folder / ".snakemake")
    done = run.snakemake("--dry-run", check=False)
    assert done.returncode == 1
    assert "mkdir -p .snakemake/metadata && snakemake --touch --forceall" in last_line(done)
    (run.folder / ".snakemake/metadata").mkdir(parents=True)
    run.snakemake("--touch", "--forceall")
    assert run.planned() == {}
    with edited(run.folder / "config/config.yaml", "replicates: 20", "replicates: 21"):
        assert "score_redshifts" in run.planned()
        run.snakemake("--touch")  # keeps the results, not what they were made by
        done = run.snakemake("--forcerun", "build_report", check=False)
    assert "made with other parameters, code or inputs" in last_line(done)


def test_a_result_changed_by_hand_is_refused_and_the_advice_leads_out(finished, tmp_path):
    run = finished.copy(tmp_path / "changed")
    name = "results/mock/classify/random/scores.csv"
    scores = (run.folder / name).read_text()
    (run.folder / name).write_text(scores.replace("0.", "1.", 1))
    done = run.snakemake(check=False)
    assert done.returncode == 1
    advice = f"snakemake --force {name}"
    assert f"{name}: it has changed since score_classes wrote it." in last_line(done)
    assert advice in last_line(done)
    assert (run.folder / "results/report.html").read_bytes() == (
        finished.folder / "results/report.html"
    ).read_bytes()
    run.snakemake(*advice.split()[1:])
    run.snakemake()
    assert run.results() == finished.results()


def test_models_that_changed_places_do_not_reach_the_report(finished, tmp_path):
    run = finished.copy(tmp_path / "swapped")
    folder = run.folder / "results/mclass/classify/folds"
    logistic = (folder / "logistic/1").rename(folder / "aside")
    (folder / "dummy/1").rename(folder / "logistic/1")
    logistic.rename(folder / "dummy/1")
    done = run.snakemake("--forcerun", "build_report", check=False)
    assert done.returncode == 1
    assert "has changed since train_classifier wrote it" in last_line(done)
