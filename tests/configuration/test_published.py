import json
import re
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
import yaml
from snakemake.utils import update_config

from sdssflow.configuration import classifiers, regressors
from sdssflow.configuration.comparisons import (
    CONFIGURATIONS,
    load_published,
    reasons_not_run,
    score_tables,
)
from sdssflow.configuration.loading import ConfigurationError, load_run, load_sample, load_samples
from sdssflow.configuration.published import PublishedNumber
from sdssflow.evaluate import class_metrics, paper_metrics, redshift_metrics

ROOT = Path(__file__).parents[2]
NUMBERS = load_published(ROOT / "config/published")
FILES = ("config/config.yaml", *CONFIGURATIONS)


def read(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def merged(path):
    """The configuration of a run with `--configfile path`, as Snakemake merges it."""
    content = read("config/config.yaml")
    update_config(content, read(path))
    return load_run(content, path)


RUNS = {path: merged(path) for path in FILES}


@pytest.mark.parametrize("name", NUMBERS)
def test_an_entry_satisfies_the_schema_and_says_how_it_was_verified(name):
    content = read(f"config/published/{name}.yaml")
    schema = json.loads((ROOT / "config/schemas/published.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(content)
    read_off = {"reading_error"} if content["verified"]["how"] == "digitised" else set()
    assert content["verified"].keys() == {"how", "at", "date", *read_off}
    assert PublishedNumber.from_canonical(NUMBERS[name].canonical()) == NUMBERS[name]


def test_no_number_stands_there_twice():
    told = [
        (n.citation.short, n.sample.description, n.features, n.method, n.metric, n.convention,
         n.subset)
        for n in NUMBERS.values()
    ]  # fmt: skip
    twice = {each for each in told if told.count(each) > 1}
    assert not twice


@pytest.mark.parametrize("name", NUMBERS)
def test_what_an_entry_is_compared_with_exists(name):
    number = NUMBERS[name]
    if number.sample.definition:
        load_sample(ROOT / f"config/samples/{number.sample.definition}.yaml")
    for each in number.comparisons:
        sample = load_sample(ROOT / f"config/samples/{each.sample}.yaml")
        assert number.task in sample.tasks
        assert each.split in sample.splits
        runs = [run for run in RUNS.values() if each.sample in run.samples]
        assert runs, f"{each.sample} is in none of {FILES}"
        for run in runs:
            known = run.classifiers if number.task == "classify" else run.regressors
            chosen = sample.classifiers if number.task == "classify" else sample.regressors
            assert each.model in (chosen or known)
            assert each.model in known


KINDS = {
    get_args(kind.model_fields["kind"].annotation)[0]
    for union in (classifiers.ClassifierSettings, regressors.RegressorSettings)
    for kind in get_args(get_args(union)[0])
}


@pytest.mark.parametrize("name", NUMBERS)
def test_what_closes_a_gap_exists(name):
    assert "gaps" in read(f"config/published/{name}.yaml")
    for gap in NUMBERS[name].gaps:
        for closing in gap.closed_by:
            assert closing.model is None or closing.model in KINDS
            if closing.sample:
                load_sample(ROOT / f"config/samples/{closing.sample}.yaml")


@pytest.mark.parametrize("name", NUMBERS)
def test_the_rows_of_a_comparison_close_the_gap_that_they_stand_for(name):
    number, default = NUMBERS[name], RUNS["config/config.yaml"].samples
    compared = {c.sample for c in number.comparisons if c.tolerance and not c.selection}
    closed = {its.sample for gap in number.gaps for its in gap.closed_by if gap.of == "rows"}
    assert compared - set(default) <= closed
    if compared & set(default):
        assert not number.gaps
    elif not compared:
        assert number.gaps


@pytest.mark.parametrize("name", NUMBERS)
def test_metric_and_convention_are_those_of_a_score_table(name):
    number = NUMBERS[name]
    if number.task == "regress":
        known = [*redshift_metrics.METRICS, *paper_metrics.METRICS]
        known = [metric.bound(epsilon=1e-3) for metric in known]
        subsets = {"all"}
    else:
        known = class_metrics.METRICS
        subsets = {"all", *class_metrics.CLASSES}
    assert (number.metric, number.convention) in {(m.name, m.convention) for m in known}
    assert number.subset in subsets
    # a run that is to be compared computes the score, of a curve where it is compared
    papers = {metric.convention for metric in paper_metrics.METRICS}
    for each in number.comparisons if number.convention in papers and not number.curve else []:
        runs = [run for run in RUNS.values() if each.sample in run.samples]
        computed = {name for run in runs for name in run.redshift_scores.conventions}
        assert each.tolerance is None or number.convention in computed


@pytest.mark.parametrize("path", CONFIGURATIONS)
def test_the_configurations_run_samples_that_numbers_are_compared_with(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    load_samples(RUNS[path])
    compared = {each.sample for n in NUMBERS.values() for each in n.comparisons}
    assert set(RUNS[path].samples) <= compared


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("main_galaxies", "main_galaxies_ugriz"),
        ("luminous_red_galaxies", "red_galaxies_ugriz"),
        ("dr15_psf", "dr15_resolved"),
    ],
)
def test_two_samples_of_the_same_rows_are_downloaded_once(one, other):
    first, second = (load_sample(ROOT / f"config/samples/{name}.yaml") for name in (one, other))
    assert first.source.question() == second.source.question()
    assert first.features != second.features


def selected(tolerance=None, **said):
    """Changes that weight our objects to a paper's."""
    comparison = {"sample": "mgs", "split": "published", "model": "linear", "because": "x"}
    selection = {"variable": "zspec", "according_to": "p. 3", **said}
    comparison |= {"selection": selection} | ({"tolerance": tolerance} if tolerance else {})
    return {"comparisons": [comparison]}


def changed(**changes):
    return read("config/published/ball2008_main_galaxies.yaml") | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"verified": {"how": "remembered", "at": "x", "date": "2026-01-01"}}, "how"),
        ({"verified": {"how": "read", "at": "", "date": "2026-01-01"}}, "at"),
        ({"verified": {"how": "read", "at": "x", "date": "1 May"}}, "date"),
        ({"citation": {"authors": "Somebody", "year": 2001}}, "so that it can be found"),
        ({"comparisons": []}, "comparisons"),
        ({"comparisons": [{"sample": "mgs", "split": "published", "model": "linear"}]}, "because"),
        ({"comparisons": [{"sample": "mgs", "split": "published", "model": "linear",
                           "because": "x"}] * 2}, "is given twice"),
        ({"verified": {"how": "digitised", "at": "x", "date": "2026-01-01"}}, "reading_error"),
        ({"curve": {"edges": [0, 1, 2], "values": [1, 2]}}, "a value or a curve"),
        ({"value": None}, "a value or a curve"),
        ({"value": None, "curve": {"edges": [0, 1, 2], "values": [1]}}, "values"),
        ({"value": None, "curve": {"edges": [0, 1], "values": [1, 2]}}, "edges"),
        ({"value": None, "curve": {"edges": [0, 1, 3, 4], "values": [1, 2]}}, "edges: give 3"),
        ({"value": None, "curve": {"edges": [0, 2, 1], "values": [1, 2]}}, "ascend"),
        ({"value": float("nan")}, "value"),
        ({"uncertainty": -0.1}, "uncertainty"),
        ({"gaps": [{"of": "luck", "what": "x"}]}, "of"),
        ({"gaps": [{"of": "rows", "what": "x", "closed_by": [{}]}]}, "give exactly one of"),
        ({"gaps": [{"of": "rows", "what": "x",
                    "closed_by": [{"sample": "a", "model": "b"}]}]}, "give exactly one of"),
        (selected(median=0.1), "needs a tolerance, within which the two are compatible"),
        (selected(0.1), "any of minimum, maximum and median"),
        (selected(0.1, minimum=0.3, median=0.1), "median and maximum must be ascending"),
        (selected(0.1, median=1, histogram={"edges": [0, 1], "shares": [1]}), "any of minimum"),
        (selected(0.1, histogram={"edges": [0, 1], "shares": [1, 2]}), "one edge more than shares"),
        (selected(0.1, histogram={"edges": [0, 1], "shares": [0]}), "a share above 0"),
        (selected(0.1, histogram={"edges": [1, 0], "shares": [1]}), "edges must be ascending"),
        (selected(0.1, median=0.1) | {"task": "classify"}, "only for task regress and a value"),
        ({"unit": "mag"}, "unit"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_entry_is_named(tmp_path, changes, message):
    (tmp_path / "entry.yaml").write_text(yaml.safe_dump(changed(**changes)))
    with pytest.raises(ConfigurationError, match=re.escape(message)) as error:
        load_published(tmp_path)
    assert "entry.yaml" in str(error.value)


def test_entries_of_the_user_stand_beside_those_of_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "config/published"
    folder.mkdir(parents=True)
    name = min(NUMBERS)
    text = (ROOT / f"config/published/{name}.yaml").read_text()
    (folder / "mine.yaml").write_text(text)
    assert set(load_published()) == {*NUMBERS, "mine"}
    (folder / "other.yml").write_text(text)
    with pytest.raises(ConfigurationError, match="other.yml has to end in .yaml"):
        load_published()


def test_a_folder_without_entries_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="no published number"):
        load_published(tmp_path)


def test_reasons_say_what_would_make_a_number(monkeypatch):
    monkeypatch.chdir(ROOT)
    run = RUNS["config/config.yaml"]
    reasons = reasons_not_run(NUMBERS, run)
    assert "mgs" not in reasons
    for name, reason in reasons.items():
        file = reason.rpartition("--configfile ")[2]
        assert name in read(file)["samples"]
        kind = load_sample(f"config/samples/{name}.yaml").source.kind
        assert ("needs a download" in reason) == (kind in ("skyserver", "url"))


def test_a_run_with_samples_of_its_own_needs_no_definition_of_the_others(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    run = RUNS["config/config.yaml"]
    own = run.model_copy(update={"sample_folder": str(tmp_path)})
    assert reasons_not_run(NUMBERS, own) == reasons_not_run(NUMBERS, run)


def test_another_sample_of_the_same_name_is_not_compared(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/samples").mkdir(parents=True)
    run, own = RUNS["config/config.yaml"], tmp_path / "config/samples/mgs.yaml"
    definition = read("config/samples/mgs.yaml")
    own.write_text(yaml.safe_dump(definition | {"title": "Mine", "explore": {}}))
    assert "mgs" not in reasons_not_run(NUMBERS, run)
    own.write_text(yaml.safe_dump(definition | {"cuts": definition["cuts"][:-1]}))
    assert "defines other rows, features or splits" in reasons_not_run(NUMBERS, run)["mgs"]


def test_a_model_that_is_set_otherwise_is_compared_and_that_is_said():
    content = read("config/config.yaml")
    content["regressors"]["trees"] |= {"min_samples_leaf": 50}
    reasons = reasons_not_run(NUMBERS, load_run(content))
    assert reasons["regress/trees"] == "this run sets other parameters of 'trees' than the project"
    ours = reasons_not_run(NUMBERS, RUNS["config/config.yaml"])
    assert reasons.keys() - ours.keys() == {"regress/trees"}


def test_an_entry_that_names_an_unknown_sample_is_refused(monkeypatch):
    monkeypatch.chdir(ROOT)
    comparison = {"sample": "main_galaxie", "split": "random", "model": "linear", "because": "x"}
    wrong = PublishedNumber.model_validate(changed(comparisons=[comparison]))
    with pytest.raises(ConfigurationError, match="wrong.yaml.*did you mean 'main_galaxies'"):
        reasons_not_run({"wrong": wrong}, RUNS["config/config.yaml"])


def test_only_tables_that_a_run_makes_are_asked_for():
    run = RUNS["config/config.yaml"]
    samples = {n: load_sample(ROOT / f"config/samples/{n}.yaml") for n in run.samples}
    tables = score_tables(NUMBERS, samples)
    assert ("mgs", "regress", "published") in tables
    for name, task, split in tables:
        assert task in samples[name].tasks
        assert split in samples[name].splits
    assert len(tables) == len(set(tables))


def described(closing):
    """A closing as the page has it."""
    return closing.address or f"`{closing.sample or closing.model}`"


def test_the_page_lists_the_entries_as_they_are():
    page = (ROOT / "docs/published_numbers.md").read_text(encoding="utf-8")
    rows = []
    for name, number in sorted(NUMBERS.items()):
        bins = number.curve and f"{len(number.curve.values)} bins"
        value = bins or f"{number.value:g}"
        error = f" ± {number.uncertainty:g}" if number.uncertainty is not None else ""
        subset = "" if number.subset == "all" else f" of {number.subset}"
        citation = number.citation.short.partition(",")[0]
        closings = [closing for gap in number.gaps for closing in gap.closed_by]
        told = [", ".join(dict.fromkeys(gap.of for gap in number.gaps))]
        told.append(", ".join(dict.fromkeys(map(described, closings))))
        rows.append(
            f"| `{name}` | {citation} | {number.metric} ({number.convention}){subset} | "
            f"{value}{error} | {number.verified.how} | {' | '.join(its or '–' for its in told)} |"
            "".replace("|z", "\\|z")
        )
    listed = re.findall(
        r"^\| `\w+` \| .* \| (?:read|quoted|digitised) \| .* \|$", page, re.MULTILINE
    )
    assert listed == rows, "paste this:\n" + "\n".join(rows)
