"""What the report shows, in its order: the one place that knows.

The rule build_report asks for exactly these files, and the page shows exactly these files.
Snakemake imports this module each time it parses the workflow: it needs pydantic and nothing
heavier.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.report.captions import (
    ACQUIRE,
    CLASSIFY,
    CONCEPTS,
    EXPLORE,
    PDFS,
    PREPARE,
    REGRESS,
    Caption,
)

CLASSIFY_FIGURES = ("comparison", "confusion", "reliability", "by_magnitude", "roc")
REGRESS_FIGURES = ("comparison", "zphot_zspec", "residuals", "by_redshift", "by_magnitude")
PDF_FIGURES = ("pit", "coverage", "pdf_by_bin", "pdf_gallery", "redshift_stacks")
# what the report shows of p(z), in its order
PDF_ITEMS = (
    "pdf_scores.csv",
    "pdf_differences.csv",
    *PDF_FIGURES,
    "redshift_stacks_summary.csv",
    "pdf_scores_by_bin.csv",
    "covariate_shift.csv",
)


class Item(NamedTuple):
    """One file that the report shows.

    Attributes
    ----------
    path : str
        The file.
    kind : {'figure', 'table', 'data'}
        A picture; a CSV shown as a table; a Parquet table of which only the number of rows and
        the provenance are quoted.
    sample, room, split : str
        Where it belongs; '' if it belongs to no sample or no split.
    name : str
        Name within its room. A table whose figure has the same name ends in ``_table``.
    title, caption : str
        What stands above and below it.
    seed : int or None
        Seed of a table that there is one of for each seed.
    """

    path: str
    kind: Literal["figure", "table", "data"]
    sample: str
    room: Literal["acquire", "prepare", "explore", "classify", "regress"]
    split: str
    name: str
    title: str
    caption: str
    seed: int | None = None


def contents(
    run: RunConfiguration, samples: dict[str, Sample], results: str = "results"
) -> list[Item]:
    """List what the report shows, in the order of its story.

    Splits come in the order of their names: canonical JSON does not keep the order of keys.

    Parameters
    ----------
    run : RunConfiguration
        The run.
    samples : dict of str to Sample
        The definition of each of the run's samples.
    results : str
        Folder of the results.

    Raises
    ------
    KeyError
        If a sample of the run has no definition.
    """
    suffix = run.figures.format
    items = [
        _item(CONCEPTS, f"{results}/concepts/redshifted_spectrum.{suffix}", "explore"),
        _item(CONCEPTS, f"{results}/concepts/redshifted_colors.csv", "explore"),
    ]
    for name in run.samples:
        if name not in samples:
            raise KeyError(f"sample {name!r} of the run has no definition")
        items.extend(_sample_items(name, samples[name], run, f"{results}/{name}"))
    return items


def models(run: RunConfiguration, sample: Sample, task: str) -> list[str]:
    """Return the names of the models that a sample trains for a task, in order."""
    chosen = sample.classifiers if task == "classify" else sample.regressors
    known = run.classifiers if task == "classify" else run.regressors
    return list(known) if chosen is None else list(chosen)


def pdf_models(run: RunConfiguration, sample: Sample) -> list[str]:
    """Return the names of the regressors of a sample that give a p(z), in order."""
    if "regress" not in sample.tasks:
        return []
    return [n for n in models(run, sample, "regress") if run.regressors[n].gives_pdf]


def _item(
    captions: dict[str, Caption],
    path: str,
    room: str,
    sample: str = "",
    split: str = "",
    seed: int | None = None,
    name: str = "",
) -> Item:
    stem, _, suffix = path.rpartition("/")[2].rpartition(".")
    name = name or stem
    kind = {"csv": "table", "parquet": "data"}.get(suffix, "figure")
    return Item(path, kind, sample, room, split, name, *captions[name], seed)


def _sample_items(name: str, sample: Sample, run: RunConfiguration, folder: str) -> Iterator[Item]:
    suffix = run.figures.format
    yield _item(ACQUIRE, f"{folder}/catalogue/catalogue.parquet", "acquire", name)
    yield _item(ACQUIRE, f"{folder}/catalogue/defects.csv", "acquire", name)
    if sample.source.kind in ("skyserver", "bulk", "tap"):
        yield _item(ACQUIRE, f"{folder}/catalogue/completeness.csv", "acquire", name)
    clean = f"{folder}/clean"
    yield _item(PREPARE, f"{clean}/catalogue.parquet", "prepare", name, name="clean")
    yield _item(PREPARE, f"{clean}/flow.csv", "prepare", name, name="flow_table")
    yield _item(PREPARE, f"{clean}/flow.{suffix}", "prepare", name)
    for split in sorted(sample.splits):
        for seed in run.seeds:
            path = f"{folder}/split/{split}/{seed}/parts.csv"
            yield _item(PREPARE, path, "prepare", name, split, seed)
    for figure in sample.explore.figures:
        yield _item(EXPLORE, f"{folder}/explore/{figure}.{suffix}", "explore", name)
    yield _item(EXPLORE, f"{folder}/explore/clusters.{suffix}", "explore", name)
    yield _item(EXPLORE, f"{folder}/explore/cluster_selection.{suffix}", "explore", name)
    yield _item(EXPLORE, f"{folder}/explore/clusters.csv", "explore", name, name="clusters_table")
    for task in sample.tasks:
        for split in sorted(sample.splits):
            yield from _task_items(name, task, split, sample, run, f"{folder}/{task}/{split}")


def _task_items(
    name: str, task: str, split: str, sample: Sample, run: RunConfiguration, folder: str
) -> Iterator[Item]:
    captions = CLASSIFY if task == "classify" else REGRESS
    for table in ("scores", "differences"):
        yield _item(captions, f"{folder}/{table}.csv", task, name, split)
    for figure in task_figures(run, sample, task):
        yield _item(captions, f"{folder}/figures/{figure}.{run.figures.format}", task, name, split)
    yield _item(captions, f"{folder}/scores_by_bin.csv", task, name, split)
    for table in ("confusion", "reliability") if task == "classify" else ():
        path = f"{folder}/{table}.csv"
        yield _item(captions, path, task, name, split, name=f"{table}_table")
    if task == "regress" and pdf_models(run, sample):
        for item in PDF_ITEMS:
            path = item if item.endswith(".csv") else f"figures/{item}.{run.figures.format}"
            yield _item(PDFS, f"{folder}/{path}", task, name, split)
        for model in pdf_models(run, sample):
            for seed in run.seeds if getattr(run.regressors[model], "search", None) else ():
                path = f"{folder}/{model}/search/{seed}.csv"
                yield _item(PDFS, path, task, name, split, seed, name="search")


def task_figures(run: RunConfiguration, sample: Sample, task: str) -> list[str]:
    """Return the names of the figures of a task; `training` only if a network is trained."""
    if task == "classify":
        return list(CLASSIFY_FIGURES)
    trained = any(run.regressors[name].needs_torch for name in models(run, sample, "regress"))
    return [*REGRESS_FIGURES, *(["training"] if trained else [])]


def matched(items: list[Item], paths: list[str]) -> list[Item]:
    """Return `items` with the paths that a rule was given for them.

    The rule may keep its results in another folder than `contents` assumes; what stands below
    that folder has to agree.

    Raises
    ------
    ValueError
        If the paths are not those of the items, in their order.
    """
    if len(paths) != len(items):
        raise ValueError(f"the report shows {len(items)} files, the rule gave it {len(paths)}")
    for item, path in zip(items, paths, strict=True):
        below = item.path.partition("/")[2]
        if not f"/{path}".endswith(f"/{below}"):
            raise ValueError(f"the report expects {item.path} where the rule gives {path}")
    return [item._replace(path=str(path)) for item, path in zip(items, paths, strict=True)]
