"""One record for each figure and table of the report, in order.

These records define the outputs of the plot rules, the pages of the report, and the captions there
and in Snakemake's own report. A new figure needs a record here (for trained models in
`model_figures`, for the catalogue in `sdssflow.configuration.explored`) and a function in the
module that draws it, whose dictionary FIGURES names the tables it uses.

Snakemake imports this module whenever it parses the workflow: it must not import anything heavier
than pydantic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from sdssflow.configuration.applying import Estimated
from sdssflow.configuration.explored import EXPLORED
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.report.model_figures import (
    CLASSES,
    LEARNING,
    PDFS,
    REDSHIFTS,
    SPLITS,
    Shown,
    pdf_models,
)

Stage = Literal["acquire", "prepare", "explore", "classify", "regress", "evaluate", "estimate"]


def _has_oddities(run: RunConfiguration, sample: Sample) -> bool:
    simulated = getattr(sample.source, "simulated", None)
    return simulated is not None and simulated.oddities > 0


# fmt: off
CONCEPTS = (
    Shown("concepts/redshifted_spectrum", "Why colours carry redshift",
        "With increasing redshift a schematic galaxy spectrum moves through the SDSS filters, and "
        "the colours change. The spectrum is computed from simple physics, not a measured "
        "template."),
    Shown("concepts/redshifted_colors.csv", "Colours of the schematic spectra",
        "AB colours of the schematic spectra through the SDSS filters, by redshift."),
)
ACQUIRE = (
    Shown("catalogue/catalogue.parquet", "Catalogue",
        "Rows as read from the source, in the common schema."),
    Shown("catalogue/defects.csv", "Defects found in the source",
        "Invalid values in the source, their number, what was done about them and an example row. "
        "No row is dropped here: an impossible value becomes missing."),
    Shown("catalogue/completeness.csv", "Completeness",
        "For a download: rows planned, counted by the server and received, for each chunk and in "
        "total. The numbers agree, otherwise the run would have stopped. For bulk files: rows of "
        "each file, with photometry, in the selection, and in the catalogue.",
        asked=lambda run, its: its.source.kind in ("skyserver", "bulk", "tap")),
)
PREPARE = (
    Shown("clean/catalogue.parquet", "Clean catalogue",
        "Rows that passed every cut.", name="clean"),
    Shown("clean/flow.csv", "What was cut",
        "The quality cuts in order, with the numbers of objects before, removed and left after "
        "each.", name="flow_table"),
    Shown("clean/flow", "Objects left after each cut",
        "Number of objects after each quality cut, in the order in which cuts are applied."),
    Shown("features/single_features.csv", "Information in each feature alone",
        "How well each feature by itself separates one class from the others (largest area under "
        "the ROC curve, 0.5 to 1), whether missing values also do, and the squared rank "
        "correlation with the spectroscopic redshift (R²). Known: fraction of objects with a "
        "value. Check features with a remark: one that determines nearly everything may contain "
        "the truth. Copies and codes of forbidden columns are refused earlier.",
        name="single_features"),
    Shown("features/leaks", "What columns that can't be features would give away",
        "How well a single column predicts held-out objects: the largest area under the ROC curve "
        "of a class against the others (0.5 for a guess), and the fraction of the variance of the "
        "spectroscopic redshift explained. Hatched: columns that are refused as features, because "
        "they contain the truth or reveal how an object was selected for observation."),
    Shown("features/leaks.csv", "What columns would give away, in numbers",
        "Class fractions and mean redshifts in bins of one column are measured on half of the "
        "objects and tested on the other half, and vice versa; duplicates of an object are in the "
        "same half. Known: fraction of objects with a value; R²: fraction of the variance of the "
        "redshift explained. For refused columns, the reason.", name="leaks_table"),
)
PARTS = (
    Shown("split/{split}/{seed}/parts.csv", "Parts of the sample",
        "Objects and groups in each part. A group is never divided: duplicates of an object, or "
        "all objects of a plate or sky cell, stay together. Models are trained on train, stopped "
        "early on validation, calibrated on calibration and scored on test only."),
)
def _explores(name: str, run: Any, sample: Any) -> bool:
    return name in sample.explore.figures


CATALOGUE = tuple(
    Shown(f"explore/{name}", figure.title, figure.caption, asked=partial(_explores, name))
    for name, figure in EXPLORED.items()
)
GROUPS = (
    Shown("explore/clusters", "Groups in the feature space",
        "Two-dimensional projections of the standardised features, coloured by class or redshift "
        "and by the groups found by k-means, a Gaussian mixture and HDBSCAN. Distances between "
        "distant groups of a UMAP projection have no meaning."),
    Shown("explore/cluster_selection", "How many groups?",
        "The criterion of each algorithm against the number of groups, with the chosen number "
        "marked, and the agreement of the groups with the truth where known. k-means is chosen by "
        "the silhouette; the Davies-Bouldin index may prefer another number."),
    Shown("explore/clusters.csv", "Groups found without labels",
        "For each algorithm and number of groups k, the criterion by which k is chosen and, where "
        "known, the agreement with the truth. ARI is the adjusted Rand index and AMI the adjusted "
        "mutual information: 1 for identical partitions, 0 on average for independent ones.",
        name="clusters_table"),
    Shown("explore/agreement.csv", "Do the groups recover the classes?",
        "Agreement of the chosen groups with the classes or, if fewer than two are known, with "
        "terciles of zspec. Intervals are from a bootstrap over objects with fixed groups. HDBSCAN "
        "noise counts as a group.", name="clusters_agreement"),
    Shown("explore/contingency.csv", "Groups and classes",
        "Number of objects of each class in each group, and the share of its most frequent class; "
        "if fewer than two classes are known, of each tercile of zspec, from 0, the lowest, to 2.",
        name="clusters_contingency"),
)
OUTLIERS = (
    Shown("explore/outliers.csv", "The strangest objects",
        "Found without labels by an isolation forest, by a density estimate (sparsity: distance "
        "to the nearest others) and by the reconstruction error of the main principal components; "
        "ordered by the geometric mean of the three ranks. Deviation: distance of the most extreme "
        "feature from its median, in scaled interquartile ranges. Outliers are not errors: the "
        "list includes rare kinds, blends and bad measurements.", name="outliers"),
    Shown("explore/oddity_scores.csv", "Which method finds the oddities?",
        "Some objects of this simulated sky were made odd: a wrong flux in one band, a blend of "
        "two objects, or extinction by dust. Average precision of each ranking, and the fraction "
        "of oddities among its first N, N being their number, with the expectation of a random "
        "ranking. Oddities removed by the selection or the cuts (injected minus oddities) are not "
        "scored.",
        name="oddity_scores", asked=_has_oddities),
)
ESTIMATES = (
    Shown("flow.csv", "From rows to estimates",
        "Rows read, defects in their values, rows removed by each cut, and kept.",
        name="flow_table",
        columns="Then the numbers of objects that lack a band, in each class or bin, or outside "
        "the training part; ``share`` is of the rows, from ``kept`` on of the objects kept."),
    Shown("partitions.csv", "Partitions with a fault",
        "Partitions that could not be used, or that repeat objects of an earlier one, and why; the "
        "others are estimated. Correct or remove the file, and the next run processes only that.",
        columns="One row per partition; ``refused`` and ``repeated`` are empty if nothing was "
        "wrong. Bytes are those of the written estimates, per object."),
    Shown("figures/sky", "On the sky",
        "Means and medians of all objects in HEALPix cells of 1.8 degrees. Patterns that follow "
        "survey edges, the Galaxy or observing conditions rather than large-scale structure are "
        "systematic errors of the photometry or the model.", telling=1),
    Shown("figures/magnitude_color", "Classes against magnitude and colour",
        "Objects by their most probable class. Shares are those of the objects drawn. Where "
        "classes overlap, probabilities say more than the most probable class.",
        asked=lambda run, its: "classify" in its.tasks),
    Shown("figures/redshift_distributions", "Redshift distributions of the tomographic bins",
        "The normalised mean p(z) of the objects in each bin of zphot. The band is a bootstrap "
        "interval over the objects drawn; it does not include errors of p(z) itself. The mean of "
        "calibrated p(z) has the right mean redshift, but is smoother than the true n(z).",
        telling=2, asked=lambda run, its: "regress" in its.tasks),
    Shown("shift.csv", "How far the objects are from the training part",
        "AUC: how well a classifier separates the colours of the target from those of the "
        "training part, cross-validated; 0.5 for the same distribution, 1 without overlap. "
        "Effective n: effective number of training objects when weighted to the target's colours. "
        "Outside training: share of objects farther from the training objects than these are from "
        "each other. Reference and drawn: numbers of training and target objects compared. The "
        "report's scores hold for objects like those of the sample; the more "
        "the target differs, the less they say about it.",
        columns="One row per fold of the model. ``reference`` and ``drawn`` are the numbers of "
        "training objects and target objects compared.",
        asked=lambda run, its: "regress" in its.tasks),
    Shown("class_priors.csv", "How many objects are of each class",
        "The maximum-likelihood mix of classes, given the classifier's probabilities of the "
        "objects drawn, with a bootstrap interval over these objects. It is correct if the "
        "probabilities are calibrated and the objects of each class look as in the training part; "
        "the interval does not include errors of either. Counts of the most probable classes are "
        "biased towards the mix of the training part.",
        columns="One row per class. ``assumed`` is the mix in the target's definition, for which "
        "the probabilities are given; if empty, they are for the mix of the training part.",
        asked=lambda run, its: "classify" in its.tasks),
    Shown("truth_scores.csv", "Scores against the truth of the simulation",
        "Estimates compared with the simulated truth. Intervals are from a bootstrap over objects. "
        "Redshifts are scored for true galaxies. A class set of 90 % should include the true class "
        "of nine objects in ten; the guarantee of conformal intervals and sets holds only for "
        "objects like those of the sample.", columns="``scored`` of ``objects`` were used.",
        asked=lambda run, its: its.target.simulated),
)
# fmt: on
PUBLISHED = Shown(
    "published.csv",
    "Published numbers and ours",
    "Reproduced: our whole interval lies within the tolerance of the published "
    "number; differs: none of it does; undecided: part of it does.",
    columns="``because`` gives the reason for the tolerance, or why there is no comparison.",
)
CURVES = Shown(
    "published_curves",
    "Published curves and ours",
    "Numbers published bin by bin, with their reading error if taken from a figure, and ours with "
    "bootstrap intervals. A number is reproduced if our whole interval lies in the band.",
)


# categories in Snakemake's report; for samples, sections
SECTIONS = {
    "1 data": ACQUIRE,
    "2 cuts": PREPARE,
    "3 look at the data": CATALOGUE,
    "4 groups": (*GROUPS, *OUTLIERS),
    "5 classes": CLASSES,
    "6 redshifts": REDSHIFTS,
    "7 p(z)": PDFS,
    "8 splits": SPLITS,
    "9 learning curves": LEARNING,
    "estimates": ESTIMATES,
    "concepts": CONCEPTS,
    "published numbers": (PUBLISHED, CURVES),
}


def shown_at(pattern: str) -> tuple[str, Shown]:
    """Return the section and the record of an output, given as in its rule.

    >>> shown_at("results/{sample}/clean/flow.svg")[1].title
    'Objects left after each cut'
    """
    below = re.sub(r"^results/(\{(sample|target)[^}]*\}/)?", "", pattern)
    for name in (below, below.rpartition(".")[0]):
        for section, records in SECTIONS.items():
            for shown in records:
                if shown.path == name:
                    return section, shown
    raise KeyError(pattern)


def figures(records: Iterable[Shown]) -> list[Shown]:
    """Return the records of figures, in order."""
    return [shown for shown in records if shown.is_figure]


class Item(NamedTuple):
    """One file of the report, with the text of its record.

    Sample and split are '' if it belongs to none; for a target, `sample` is its name. For a Parquet
    table, kind 'data', only the number of rows and the provenance are quoted. `seed` is that of a
    table of one seed, `telling` as in `Shown`.
    """

    path: str
    kind: Literal["figure", "table", "data"]
    sample: str
    stage: Stage
    split: str
    name: str
    title: str
    caption: str
    seed: int | None = None
    telling: int = 0


def contents(
    run: RunConfiguration,
    samples: dict[str, Sample],
    results: str = "results",
    targets: Mapping[str, Estimated] | None = None,
) -> list[Item]:
    """List the files of the report in order: those of samples, then those of targets.

    Splits are sorted by name: canonical JSON does not keep the order of keys.
    """
    items = [_item(shown, f"{results}/{shown.path}", "explore", run) for shown in CONCEPTS]
    for name in run.samples:
        items.extend(_of_sample(name, samples[name], run, f"{results}/{name}"))
    for name, its in (targets or {}).items():
        items += [
            _item(shown, f"{results}/{name}/{shown.path}", "estimate", run, name)
            for shown in ESTIMATES
            if shown.asked(run, its)
        ]
    return items


def _of_sample(name: str, sample: Sample, run: RunConfiguration, folder: str) -> Iterator[Item]:
    explored = {shown.label: shown for shown in CATALOGUE}
    splits = sorted(sample.splits)
    sections: list[tuple[Stage, str, Iterable[Shown]]] = [
        ("acquire", "", ACQUIRE),
        ("prepare", "", PREPARE),
        *(("prepare", split, PARTS) for split in splits),
        (
            "explore",
            "",
            [*(explored[figure] for figure in sample.explore.figures), *GROUPS, *OUTLIERS],
        ),
    ]
    for task in sample.tasks:
        of_task = CLASSES if task == "classify" else (*REDSHIFTS, *PDFS)
        sections += [(task, split, of_task) for split in splits]
    sections += [("evaluate", "", SPLITS), *(("evaluate", split, LEARNING) for split in splits)]
    for stage, split, records in sections:
        for shown in records:
            if shown.asked(run, sample):
                for path, seed in _paths(shown.path, split, sample, run):
                    yield _item(shown, f"{folder}/{path}", stage, run, name, split, seed)


def _paths(
    path: str, split: str, sample: Sample, run: RunConfiguration
) -> Iterator[tuple[str, int | None]]:
    """Yield path and seed of each file of a record in one split."""
    searching = [m for m in pdf_models(run, sample) if getattr(run.regressors[m], "search", None)]
    for model in searching if "{model}" in path else [""]:
        for seed in run.seeds if "{seed}" in path else [None]:
            yield path.format(split=split, model=model, seed=seed), seed


def _item(
    shown: Shown,
    path: str,
    stage: Stage,
    run: RunConfiguration,
    sample: str = "",
    split: str = "",
    seed: int | None = None,
) -> Item:
    kind: Literal["figure", "table", "data"] = "table" if path.endswith(".csv") else "data"
    if shown.is_figure:
        path, kind = f"{path}.{run.figures.format}", "figure"
    words = (shown.label, shown.title, shown.caption)
    return Item(path, kind, sample, stage, split, *words, seed, shown.telling)


def matched(items: list[Item], paths: list[str]) -> list[Item]:
    """Return `items` with the paths given by a rule.

    The folder of the results may differ; ValueError unless the paths below it are the same, in the
    same order.
    """
    if len(paths) != len(items):
        raise ValueError(f"the report shows {len(items)} files, the rule gave it {len(paths)}")
    for item, path in zip(items, paths, strict=True):
        below = item.path.partition("/")[2]
        if not f"/{path}".endswith(f"/{below}"):
            raise ValueError(f"the report expects {item.path} where the rule gives {path}")
    return [item._replace(path=str(path)) for item, path in zip(items, paths, strict=True)]
