"""One record for each figure and table that the report shows, in its order.

From these records come the outputs of the plot rules, the report's pages, and the captions there
and in Snakemake's own report. A new figure is a record here (for a look at the catalogue, in
`sdssflow.configuration.exploration`) and its function in the module that draws: the dictionary
FIGURES there says by which tables.

Snakemake imports this module each time it parses the workflow: it needs pydantic and nothing
heavier.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sdssflow.configuration.applying import Estimated
from sdssflow.configuration.exploration import EXPLORED
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample


class Shown(NamedTuple):
    """One figure or table that the report shows of a sample, a split, a seed, a model or a target.

    Attributes
    ----------
    path : str
        Below the results of its sample or target, with ``{split}``, ``{seed}`` and ``{model}``; a
        figure's path has no suffix.
    title, caption : str
        What stands above and below it.
    name : str
        Name within its stage, '' if that is the file's. A table whose figure has the same name
        ends in ``_table``.
    columns : str
        What Snakemake's report, which shows the file itself, adds about its columns.
    asked : callable
        Whether a sample of a run, or a target with what is applied to it, has it.
    """

    path: str
    title: str
    caption: str
    name: str = ""
    columns: str = ""
    asked: Callable[[RunConfiguration, Any], bool] = lambda run, its: True

    @property
    def label(self) -> str:
        """Name within its stage."""
        return self.name or self.path.rpartition("/")[2].partition(".")[0]

    @property
    def is_figure(self) -> bool:
        """Whether it is drawn."""
        return "." not in self.path


def models(run: RunConfiguration, sample: Sample, task: str) -> list[str]:
    """Return the names of the models that a sample trains for a task, in order."""
    chosen = sample.classifiers if task == "classify" else sample.regressors
    if chosen is not None:
        return list(chosen)
    known = run.classifiers if task == "classify" else run.regressors
    has_classes = "classify" in sample.tasks
    return [name for name, its in known.items() if has_classes or not its.needs_classes]


def pdf_models(run: RunConfiguration, sample: Sample) -> list[str]:
    """Return the names of the regressors of a sample that give a p(z), in order."""
    if "regress" not in sample.tasks:
        return []
    return [n for n in models(run, sample, "regress") if run.regressors[n].gives_pdf]


def _is_bulk_or_downloaded(run: RunConfiguration, sample: Sample) -> bool:
    return sample.source.kind in ("skyserver", "bulk", "tap")


def _gives_pdfs(run: RunConfiguration, sample: Sample) -> bool:
    return bool(pdf_models(run, sample))


def _trains_networks(run: RunConfiguration, sample: Sample) -> bool:
    return any(run.regressors[model].needs_torch for model in models(run, sample, "regress"))


def learning(run: RunConfiguration, sample: Sample) -> dict[str, list[str]]:
    """Return the names of the models of a sample that have learning curves, by task."""
    asked = {
        task: [n for n in run.learning_curves.of_task(task) if n in models(run, sample, task)]
        for task in sample.tasks
    }
    return {task: names for task, names in asked.items() if names}


def _learns(run: RunConfiguration, sample: Sample) -> bool:
    return bool(learning(run, sample))


def _has_oddities(run: RunConfiguration, sample: Sample) -> bool:
    simulated = getattr(sample.source, "simulated", None)
    return simulated is not None and simulated.oddities > 0


def _has_splits(run: RunConfiguration, sample: Sample) -> bool:
    return len(sample.splits) > 1


def _classifies(run: RunConfiguration, its: Estimated) -> bool:
    return "classify" in its.tasks


def _estimates_redshifts(run: RunConfiguration, its: Estimated) -> bool:
    return "regress" in its.tasks


def _has_truth(run: RunConfiguration, its: Estimated) -> bool:
    return its.target.simulated


ROWS_OF_SCORES = (
    "One row per model, seed, metric, convention and subset: value, ends of its bootstrap "
    "interval, number of test objects and digest of the test part. Seed ``all`` is the mean over "
    "seeds."
)
ROWS_OF_DIFFERENCES = "Score of ``model`` minus that of ``other``, mean over seeds."

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
        "those in the catalogue.", asked=_is_bulk_or_downloaded),
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
CATALOGUE = tuple(
    Shown(
        f"explore/{name}",
        *texts,
        asked=lambda run, sample, name=name: name in sample.explore.figures,
    )
    for name, texts in EXPLORED.items()
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
CLASSES = (
    Shown("classify/{split}/scores.csv", "Scores of the classifiers",
        "Mean over seeds with its interval. Purity of a class is its precision, completeness its "
        "recall.", columns=ROWS_OF_SCORES),
    Shown("classify/{split}/differences.csv", "Differences from the best classifier",
        "Score of each model minus that of the best, on the same objects and the same bootstrap "
        "draws. An interval that holds 0 means that the test part can't tell the two apart.",
        columns=ROWS_OF_DIFFERENCES),
    Shown("classify/{split}/figures/comparison", "Classifiers compared",
        "Scores of all classifiers with their intervals."),
    Shown("classify/{split}/figures/confusion", "Confusion matrices",
        "Fraction of each true class (rows) that each classifier puts in each class (columns)."),
    Shown("classify/{split}/figures/reliability", "Are the probabilities right?",
        "Observed frequency against predicted probability. On the diagonal, objects given a "
        "probability of 0.8 are right eight times in ten; below it the classifier is too sure. "
        "Rows: the most probable class, then the probability of each class. Bars: bootstrap "
        "intervals; grey: where right probabilities lie, bin by bin."),
    Shown("classify/{split}/figures/class_sets", "Coverage of the class sets",
        "Fraction of the objects of each class whose class set holds that class, and the mean "
        "number of classes in the set, in bins of magnitude with equal numbers of objects. The "
        "sets promise 0.9 for each class as a whole, not for each magnitude."),
    Shown("classify/{split}/figures/by_magnitude", "Scores against magnitude",
        "Scores in bins of magnitude with equal numbers of objects, with intervals. Faint objects "
        "have noisier colours."),
    Shown("classify/{split}/figures/roc", "Completeness against contamination",
        "Receiver operating characteristic of each class against the rest."),
    Shown("classify/{split}/scores_by_bin.csv", "Scores of the classifiers by magnitude",
        "The same scores in bins of magnitude with equal numbers of objects; all models share the "
        "bins."),
    Shown("classify/{split}/confusion.csv", "Confusion matrices, in numbers",
        "Test objects by true and predicted class.", name="confusion_table"),
    Shown("classify/{split}/reliability.csv", "Reliability, in numbers",
        "Mean predicted probability and observed frequency in bins of predicted probability.",
        name="reliability_table"),
    Shown("classify/{split}/class_sets.csv", "Class sets at 90 %, in numbers",
        "The set of an object holds the classes that it may be of: those whose probability is at "
        "least what nine in ten calibration objects of the class have. So it holds the true class "
        "of nine in ten objects of each class, whatever the mix of classes. A set without a class "
        "is no mistake: the object lies between classes. Intervals of the bootstrap over groups; "
        "the file has the binomial ones too.", name="class_sets_table",
        columns="``binomial_lower`` and ``binomial_upper`` are of as many independent objects as a "
        "test part has."),
    Shown("classify/{split}/operating_points.csv", "Thresholds for a stated purity or completeness",
        "An object is taken for one of a class where the probability of that class reaches the "
        "threshold. Thresholds are chosen on the calibration part: the lowest (of purity) or "
        "highest (of completeness) one that keeps what is wanted with a confidence of 90 % there. "
        "Purity and completeness are those of the test part, mean over the seeds that have a "
        "threshold; the others' calibration parts are too small to show it, or no threshold keeps "
        "it.",
        columns="``seeds`` counts those that have a threshold; ``operating_points.json`` has the "
        "threshold of each."),
)
REDSHIFTS = (
    Shown("regress/{split}/scores.csv", "Scores of the photometric redshifts",
        "Mean over seeds with its interval. Papers use one name for several formulas: the "
        "convention of each score stands below its name.", columns=ROWS_OF_SCORES),
    Shown("regress/{split}/differences.csv", "Differences from the best regressor",
        "Score of each model minus that of the best, on the same objects and the same bootstrap "
        "draws. An interval that holds 0 means that the test part can't tell the two apart.",
        columns=ROWS_OF_DIFFERENCES),
    Shown("regress/{split}/figures/comparison", "Regressors compared",
        "Scores of all regressors with their intervals."),
    Shown("regress/{split}/figures/zphot_zspec", "Photometric against spectroscopic redshift",
        "Test objects of all seeds. Solid: equality; dashed: a normalised residual of ±0.05, the "
        "outlier limit of bright samples."),
    Shown("regress/{split}/figures/residuals", "Residuals against redshift",
        "Normalised residual (zphot − zspec) / (1 + zspec) against the spectroscopic redshift, "
        "with its running median and the band that holds 68 % of the objects."),
    Shown("regress/{split}/figures/by_redshift", "Scores against redshift",
        "Scores in bins of redshift with equal numbers of objects, with intervals."),
    Shown("regress/{split}/figures/by_magnitude", "Scores against magnitude",
        "Scores in bins of magnitude with equal numbers of objects, with intervals."),
    Shown("regress/{split}/figures/training", "Training of the networks",
        "Loss of the models trained by gradient descent against the number of passes over the "
        "training part.", asked=_trains_networks),
    Shown("regress/{split}/scores_by_bin.csv",
        "Scores of the photometric redshifts by redshift and magnitude",
        "The same scores in bins with equal numbers of objects; all models share the bins. Bins "
        "of true and of predicted redshift answer different questions: only the second is known "
        "for a new object."),
)
PDFS = (
    Shown("regress/{split}/pdf_scores.csv", "Scores of p(z)",
        "How well each model knows what it doesn't know: scores of the redshift density p(z) of "
        "each object. CRPS and the CDE loss judge p(z) as a whole; the distances of the PIT from "
        "uniform and the coverage say whether it is calibrated, sharpness how narrow it is. "
        "Conformal intervals cover 95 % (68 %) of objects that are exchangeable with those of the "
        "calibration part, whatever p(z) is. Where the test part was not chosen at random, as in "
        "a published split whose test half is brighter, that is no guarantee: the coverage "
        "measured here counts.", columns=ROWS_OF_SCORES),
    Shown("regress/{split}/pdf_differences.csv", "Differences in p(z) from the best model",
        "Score of each model minus that of the one with the lowest CRPS, on the same objects and "
        "the same bootstrap draws. An interval that holds 0 means that the test part can't tell "
        "the two apart. A smaller width is better only where the coverage is right.",
        columns=ROWS_OF_DIFFERENCES),
    Shown("regress/{split}/figures/pit", "Are the densities calibrated?",
        "Histogram of the probability integral transform (PIT), the probability that p(z) leaves "
        "below zspec, relative to the number expected. Right densities are flat. A hump: p(z) too "
        "wide; high ends: too narrow; a slope: biased. Grey: where right densities lie, bin by "
        "bin."),
    Shown("regress/{split}/figures/coverage", "Coverage of the intervals",
        "Fraction of the objects whose zspec lies within the central interval of p(z), for every "
        "nominal coverage, and how far it is from that. These intervals are p(z)'s own: nothing "
        "guarantees them. Grey: where right densities lie, level by level."),
    Shown("regress/{split}/figures/pdf_by_bin", "p(z) against redshift and magnitude",
        "CRPS, coverage of the central 95 % interval and half width of the central 68 % interval "
        "in bins with equal numbers of objects. Right p(z) may be wide, but cover 95 % in every "
        "bin of zphot or magnitude."),
    Shown("regress/{split}/figures/pdf_gallery", "Examples of p(z)",
        "Test objects of the model with the lowest CRPS, each chosen by the rule above it, none "
        "by hand; most lopsided means that the highest point lies farthest from the median. p(z) "
        "is drawn from its quantile 0.003 to its quantile 0.997."),
    Shown("regress/{split}/figures/redshift_stacks", "Redshift distributions of tomographic bins",
        "Objects in bins of equal numbers by the zphot of each model: the sum of their p(z) "
        "against their zspec. Above each panel, by how much the mean redshift of the sum is off. "
        "The panels show the range that holds 99.8 % of the objects."),
    Shown("regress/{split}/redshift_stacks_summary.csv", "Means and widths of the stacks",
        "Mean and standard deviation of the redshift in each tomographic bin, of the sum of p(z) "
        "and of zspec, and their difference, stack minus truth, with the interval of a bootstrap "
        "on the same objects."),
    Shown("regress/{split}/pdf_scores_by_bin.csv", "Scores of p(z) by redshift and magnitude",
        "The same scores in bins with equal numbers of objects; all models share the bins. In "
        "bins of zspec even right p(z) are not calibrated: the bins are chosen by the answer."),
    Shown("regress/{split}/covariate_shift.csv", "What the scores are where spectra are rare",
        "Objects with spectra, weighted so that their features are distributed as those of the "
        "target: the scores they predict for it, beside those without weights and those measured "
        "on the target itself."),
    Shown("regress/{split}/{model}/search/{seed}.csv", "Search for settings",
        "Candidates by round, judged on the validation part by their CRPS: the configured "
        "settings first, the better ones of the others going on with more epochs. Difference: "
        "CRPS minus that of the first of the round, with its standard error. "
        "Others are chosen only if they are better by more than twice that. No test object was "
        "looked at.", name="search"),
)
LEARNING = (
    Shown("learning/{split}/curves", "Learning curves",
        "Scores of the test part against the number of training objects; subsets of the training "
        "part are nested. Lines: a + b N^−c, fitted to the points, dashed beyond the training "
        "part. Bars: bootstrap over the objects scored.", name="learning", asked=_learns),
    Shown("learning/{split}/fits.csv", "Power laws of the learning curves",
        "Floor a, factor b and exponent c of a + b N^−c, and the score that it gives for twice the "
        "training objects. Intervals are of a bootstrap over the objects scored, with a fit for "
        "each replicate. At end: the exponent is at an end of its range (0.05 to 3), so that the "
        "points don't tell a floor from a slow power.", name="learning_fits", asked=_learns),
    Shown("learning/{split}/curves.csv", "Learning curves, in numbers",
        "Mean over seeds, of the validation part, by which choices may be made, and of the test "
        "part.", name="learning_table", asked=_learns),
)
SPLITS = (
    Shown("splits/comparison.csv", "Splits side by side",
        "What each model scores on every split, and each split minus the first. Values and "
        "intervals are those of the score tables. Test parts of two splits are different objects: "
        "the interval of a difference is of a bootstrap over the coarser groups of the two "
        "(objects, plates or cells of the sky), with the same draws for both, and knows nothing of "
        "how much another training would change. Worse scores by plate or by cell say that the "
        "random ones flatter the model for use elsewhere in the sky.",
        columns="``difference`` is the score of ``split`` minus that of ``base``; ``drawn_over`` "
        "says over which groups its interval was drawn.", name="split_comparison",
        asked=_has_splits),
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
        "fault of the photometry or of the model."),
    Shown("figures/magnitude_color", "Classes against magnitude and colour",
        "Objects by their most probable class. Shares are of the objects drawn. Where classes "
        "meet, probabilities say more than the most probable class.", asked=_classifies),
    Shown("figures/redshift_distributions", "Redshift distributions of the tomographic bins",
        "The mean p(z) of the objects of each bin of zphot, normalised. The band is where the mean "
        "of as many objects would lie, by a bootstrap over those drawn: it knows nothing of "
        "errors of p(z) itself. A mean of right p(z) has the right mean redshift, but is smoother "
        "than the true n(z).", asked=_estimates_redshifts),
    Shown("shift.csv", "How far the objects are from the training part",
        "AUC: how well a classifier tells the target's colours from those of the training part, "
        "cross-validated; 0.5 if they are alike, 1 if they have nothing in common. Effective n: "
        "how many training objects of equal weight would be as precise, once they are weighted "
        "to have the target's colours. Outside training: share of objects farther from the "
        "training objects than these are from each other. The report's scores hold for objects "
        "like those of the sample; the farther the target, the less they say.",
        columns="One row per fold of the model. ``reference`` and ``drawn`` are the numbers of "
        "training objects and of the target's that were compared.", asked=_estimates_redshifts),
    Shown("class_priors.csv", "How many objects are of each class",
        "By what the classifier says of the objects drawn: the mix of classes that makes its "
        "probabilities most likely, with the interval of a bootstrap over these objects. It is "
        "right where the probabilities are, and where an object of a class looks as in the "
        "training part; the interval knows of neither. Counts of the most probable classes lean "
        "towards the mix of the training part.",
        columns="One row per class. ``assumed`` is what the target's definition says and the "
        "probabilities are for; empty, they are for the mix of the training part.",
        asked=_classifies),
    Shown("truth_scores.csv", "Scores against the truth of the simulation",
        "Estimates set against what was simulated. Intervals are of a bootstrap over objects. "
        "Redshifts are judged on true galaxies. A class set of 90 % should hold the true class of "
        "nine objects in ten; conformal intervals and sets keep their promise for objects like "
        "those of the sample only.", columns="``scored`` of ``objects`` were looked at.",
        asked=_has_truth),
)
# fmt: on
PDFS = tuple(shown._replace(asked=_gives_pdfs) for shown in PDFS)
PUBLISHED = Shown(
    "published.csv",
    "Published numbers and ours",
    "Reproduced: our whole interval lies within the tolerance of the published "
    "number; differs: none of it does; undecided: part of it does.",
    columns="``because`` says why the tolerance is what it is, or why there is no comparison.",
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
    "published numbers": (PUBLISHED,),
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
