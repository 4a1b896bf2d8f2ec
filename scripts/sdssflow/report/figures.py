"""One record for each figure and table that the report shows, in its order.

From these records come the outputs of the plot rules, the report's pages, and the captions there
and in Snakemake's own report. A new figure is a record here (of trained models in
`model_figures`, for a look at the catalogue in `sdssflow.configuration.sample`) and its
function in the module that draws: the dictionary FIGURES there says by which tables.

Snakemake imports this module each time it parses the workflow: it needs pydantic and nothing
heavier.
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
        "A schematic galaxy spectrum slides through the SDSS filters as its redshift grows, and "
        "the colours change with it. The spectrum is a sketch from public physics, not a measured "
        "template."),
    Shown("concepts/redshifted_colors.csv", "Colours of the schematic spectra",
        "AB colours of the schematic spectra through the SDSS filters, by redshift."),
)
ACQUIRE = (
    Shown("catalogue/catalogue.parquet", "Catalogue",
        "Rows as read from the source, in the common schema."),
    Shown("catalogue/defects.csv", "Defects found in the source",
        "What is wrong with the values as they came, how often, what was done about it and a row "
        "to look at. No row is dropped here: a value that can't be true becomes missing."),
    Shown("catalogue/completeness.csv", "Completeness",
        "Of a download: what was planned, what the server counted and what arrived, for each "
        "chunk and for the whole. Numbers of rows are equal, or the run would have stopped. Of "
        "bulk files: rows of each file, those with photometry, those that meet the selection, and "
        "those in the catalogue.",
        asked=lambda run, its: its.source.kind in ("skyserver", "bulk", "tap")),
)
PREPARE = (
    Shown("clean/catalogue.parquet", "Clean catalogue",
        "Rows that passed every cut.", name="clean"),
    Shown("clean/flow.csv", "What was cut",
        "Each quality cut in the order of the configuration, with the objects before it, removed "
        "by it and left after it.", name="flow_table"),
    Shown("clean/flow", "Objects left after each cut",
        "How many objects each quality cut leaves, in the order in which cuts are applied."),
    Shown("features/single_features.csv", "What each feature says alone",
        "How well one feature by itself tells one class from the others (the largest area under "
        "the receiver operating characteristic, 0.5 to 1), whether being missing tells it too, and "
        "the squared rank correlation with the spectroscopic redshift. A remark asks to look at a "
        "feature that says nearly everything: it may hold the truth. A copy or code of what can't "
        "be a feature is refused before.", name="single_features"),
    Shown("features/leaks", "What columns that can't be features would give away",
        "What one column by itself tells of objects that were not looked at: the largest area "
        "under the receiver operating characteristic of a class against the others (0.5 for a "
        "guess), and the fraction of the variance of the spectroscopic redshift that it explains. "
        "Hatched: columns that are refused as features, because they hold the truth or tell how "
        "an object came to be observed."),
    Shown("features/leaks.csv", "What columns would give away, in numbers",
        "Half of the objects learn the mix of classes and the mean redshift in bins of one column, "
        "the other half is judged, and the other way round; duplicates of an object stand in one "
        "half. A column that is refused says why.", name="leaks_table"),
)
PARTS = (
    Shown("split/{split}/{seed}/parts.csv", "Parts of the sample",
        "Objects and groups in each part. A group never stands in two parts: duplicates of an "
        "object, or all objects of a plate or sky cell, stay together. Models learn from train, "
        "stop early on validation, are calibrated on calibration and are judged on test alone."),
)
def _explores(name: str, run: Any, sample: Any) -> bool:
    return name in sample.explore.figures


CATALOGUE = tuple(
    Shown(f"explore/{name}", figure.title, figure.caption, asked=partial(_explores, name))
    for name, figure in EXPLORED.items()
)
GROUPS = (
    Shown("explore/clusters", "Groups in the feature space",
        "Projections of the standardised features on two dimensions, coloured by what is known of "
        "the objects and by the groups that k-means, a Gaussian mixture and HDBSCAN find. "
        "Distances between far groups of a UMAP projection mean nothing."),
    Shown("explore/cluster_selection", "How many groups?",
        "The criterion of each algorithm against the number of groups, the chosen one marked, and "
        "the agreement of the groups with the truth where it is known."),
    Shown("explore/clusters.csv", "Groups found without labels",
        "For each algorithm and number of groups k, the criterion that chooses k, and, where "
        "truth is known, the agreement of the groups with it. ARI is the adjusted Rand index and "
        "AMI the adjusted mutual information: 1 for equal partitions, 0 on average for "
        "independent ones.", name="clusters_table"),
    Shown("explore/agreement.csv", "Do the groups recover the classes?",
        "Agreement of the chosen groups with the classes, or, where fewer than two are known, with "
        "thirds of zspec. Intervals are of a bootstrap over the objects, with the groups as they "
        "are. Noise of HDBSCAN counts as a group.", name="clusters_agreement"),
    Shown("explore/contingency.csv", "Groups and classes",
        "Number of objects of each class in each group; share: of its commonest class.",
        name="clusters_contingency"),
)
OUTLIERS = (
    Shown("explore/outliers.csv", "The strangest objects",
        "Found without labels by an isolation forest, by a density estimate (sparsity: far from "
        "the nearest others) and by how badly the main principal components reconstruct them; in "
        "the order of the geometric mean of the three ranks. Deviation: of the feature that lies "
        "farthest from the median of all, in scaled interquartile ranges. Strange is not wrong: "
        "rare kinds, blends and bad measurements all stand here.", name="outliers"),
    Shown("explore/oddity_scores.csv", "Who finds the oddities?",
        "Some objects of this simulated sky were made odd: a band is off, two objects stand in one "
        "place, or dust lies before them. Average precision of each ranking, and the share of them "
        "among its first N, N their number, beside what chance would give. Oddities that the "
        "selection or the cuts removed (injected less those here) are not scored.",
        name="oddity_scores", asked=_has_oddities),
)
ESTIMATES = (
    Shown("flow.csv", "From rows to estimates",
        "Rows as they came, what each cut removed, and what was kept.", name="flow_table",
        columns="Then how many objects lack a band, have which class or bin, or lie outside of "
        "the training part; ``share`` is of the rows, from ``kept`` on of the objects kept."),
    Shown("partitions.csv", "Partitions with a fault",
        "Partitions that could not be used or that have objects of an earlier one, and why; the "
        "others are estimated. Mend or remove the file, and the next run estimates it alone.",
        columns="One row per partition; ``refused`` and ``repeated`` are empty where nothing was "
        "wrong. Bytes are those of the written estimates, per object."),
    Shown("figures/sky", "On the sky",
        "Means and medians in HEALPix cells of 1.8 degrees, of all objects. What follows the "
        "edges of the survey, the Galaxy or the weather, and not the large-scale structure, is a "
        "fault of the photometry or of the model.", telling=1),
    Shown("figures/magnitude_color", "Classes against magnitude and colour",
        "Objects by their most probable class. Shares are of the objects drawn. Where classes "
        "meet, probabilities say more than the most probable class.",
        asked=lambda run, its: "classify" in its.tasks),
    Shown("figures/redshift_distributions", "Redshift distributions of the tomographic bins",
        "The mean p(z) of the objects of each bin of zphot, normalised. The band is where the mean "
        "of as many objects would lie, by a bootstrap over those drawn: it knows nothing of "
        "errors of p(z) itself. A mean of right p(z) has the right mean redshift, but is smoother "
        "than the true n(z).", telling=2, asked=lambda run, its: "regress" in its.tasks),
    Shown("shift.csv", "How far the objects are from the training part",
        "AUC: how well a classifier tells the target's colours from those of the training part, "
        "cross-validated; 0.5 if they are alike, 1 if they have nothing in common. Effective n: "
        "how many training objects of equal weight would be as precise, once they are weighted "
        "to have the target's colours. Outside training: share of objects farther from the "
        "training objects than these are from each other. The report's scores hold for objects "
        "like those of the sample; the farther the target, the less they say.",
        columns="One row per fold of the model. ``reference`` and ``drawn`` are the numbers of "
        "training objects and of the target's that were compared.",
        asked=lambda run, its: "regress" in its.tasks),
    Shown("class_priors.csv", "How many objects are of each class",
        "By what the classifier says of the objects drawn: the mix of classes that makes its "
        "probabilities most likely, with the interval of a bootstrap over these objects. It is "
        "right where the probabilities are, and where an object of a class looks as in the "
        "training part; the interval knows of neither. Counts of the most probable classes lean "
        "towards the mix of the training part.",
        columns="One row per class. ``assumed`` is what the target's definition says and the "
        "probabilities are for; empty, they are for the mix of the training part.",
        asked=lambda run, its: "classify" in its.tasks),
    Shown("truth_scores.csv", "Scores against the truth of the simulation",
        "Estimates set against what was simulated. Intervals are of a bootstrap over objects. "
        "Redshifts are judged on true galaxies. A class set of 90 % should hold the true class of "
        "nine objects in ten; conformal intervals and sets keep their promise for objects like "
        "those of the sample only.", columns="``scored`` of ``objects`` were looked at.",
        asked=lambda run, its: its.target.simulated),
)
# fmt: on
PUBLISHED = Shown(
    "published.csv",
    "Published numbers and ours",
    "Reproduced: our whole interval lies within the tolerance of the published "
    "number; differs: none of it does; undecided: part of it does.",
    columns="``because`` says why the tolerance is what it is, or why there is no comparison.",
)
CURVES = Shown(
    "published_curves",
    "Published curves and ours",
    "Numbers that were published bin by bin, with the uncertainty of reading them off where they "
    "come from a figure, and ours with bootstrap intervals. A number is reproduced where our whole "
    "interval lies in the band.",
)


# where they stand in Snakemake's report: a sample's by section, the others by category
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
    """Return the section and the record of an output, given as its rule writes it.

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
    """Return those records that are drawn, in their order."""
    return [shown for shown in records if shown.is_figure]


class Item(NamedTuple):
    """One file that the report shows, with the words of its record.

    Sample and split are '' where it belongs to none; of a target's file, the sample is the target.
    Of a Parquet table, kind 'data', only the number of rows and the provenance are quoted. `seed`
    is that of a table of one seed, `telling` as in `Shown`.
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
    """List what the report shows, in its order: of samples, then of the run's targets.

    Splits come in the order of their names: canonical JSON does not keep the order of keys.
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
    """Yield the paths of one record in one split, and the seed of each."""
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
    """Return `items` with the paths that a rule was given for them.

    The rule may keep its results in another folder than `contents` assumes; what stands below that
    folder has to agree, in this order, or it is a ValueError.
    """
    if len(paths) != len(items):
        raise ValueError(f"the report shows {len(items)} files, the rule gave it {len(paths)}")
    for item, path in zip(items, paths, strict=True):
        below = item.path.partition("/")[2]
        if not f"/{path}".endswith(f"/{below}"):
            raise ValueError(f"the report expects {item.path} where the rule gives {path}")
    return [item._replace(path=str(path)) for item, path in zip(items, paths, strict=True)]
