"""Which models a sample trains, and one record for each figure and table that is shown of them.

Snakemake imports this module each time it parses the workflow: it needs pydantic and nothing
heavier.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

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
    telling : int
        The index shows a sample or target by that one of its figures whose number is highest; 0:
        never.
    asked : callable
        Says of a sample of a run, or of a target with what is applied to it, whether it has it.
    """

    path: str
    title: str
    caption: str
    name: str = ""
    columns: str = ""
    telling: int = 0
    asked: Callable[[RunConfiguration, Any], Any] = lambda run, its: True

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
    lacking = {
        "needs_classes": "classify" not in sample.tasks,
        "needs_errors": "magnitude_errors" not in sample.features.groups,
    }
    return [
        name
        for name, its in known.items()
        if not any(lacks and getattr(its, need) for need, lacks in lacking.items())
    ]


def pdf_models(run: RunConfiguration, sample: Sample) -> list[str]:
    """Return the names of the regressors of a sample that give a p(z), in order."""
    if "regress" not in sample.tasks:
        return []
    return [n for n in models(run, sample, "regress") if run.regressors[n].gives_pdf]


def explained(run: RunConfiguration, sample: Sample, task: str) -> list[str]:
    """Return the names of the models of a sample whose use of features is measured, in order."""
    if task not in sample.tasks:
        return []
    return [name for name in models(run, sample, task) if name in run.importance.models]


def learning(run: RunConfiguration, sample: Sample) -> dict[str, list[str]]:
    """Return the names of the models of a sample that have learning curves, by task."""
    asked = {
        task: [n for n in run.learning_curves.of_task(task) if n in models(run, sample, task)]
        for task in sample.tasks
    }
    return {task: names for task, names in asked.items() if names}


def _trains_networks(run: RunConfiguration, sample: Sample) -> bool:
    return any(run.regressors[model].needs_torch for model in models(run, sample, "regress"))


ROWS_OF_SCORES = (
    "One row per model, seed, metric, convention and subset: value, ends of its bootstrap "
    "interval, number of test objects and digest of the test part. Seed ``all`` is the mean over "
    "seeds."
)
ROWS_OF_DIFFERENCES = "Score of ``model`` minus that of ``other``, mean over seeds."
SHARED = (
    "bins with equal numbers of objects by zspec or magnitude, the same for all models; bins of "
    "zphot have the edges of those of zspec, and the first and last take in what lies beyond."
)

# of classifiers and regressors alike
PERMUTED = (
    "A group is what measures one quantity, permuted together: features that say the same stand in "
    "for each other, so each of them may look dispensable. "
)
IF_ALONE = (
    "The mean over test objects if that feature had one value in all of them and the others stayed "
    "as they are, whether or not such objects exist; the most important features of each model, "
    "with bootstrap intervals of the mean."
)
ROWS_OF_IMPORTANCE = (
    "One row per model, seed and feature or group: ``unpermuted`` is the score of the objects as "
    "they are, ``value`` how much is added to it, with its bootstrap interval."
)

# fmt: off
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
    Shown("classify/{split}/figures/best_confusion", "Confusion matrix of the best classifier",
        "Fraction of each true class (rows) that it puts in each class (columns); best by macro "
        "F1 on the test part.", telling=2),
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
    Shown("classify/{split}/figures/importance", "Which features the classifiers use",
        "By how much the log-loss grows once the values of a feature are permuted among test "
        f"objects, with bootstrap intervals. {PERMUTED}0: the classifier would not miss it.",
        asked=partial(explained, task="classify")),
    Shown("classify/{split}/figures/partial_dependence", "Class probabilities against a feature",
        IF_ALONE, asked=partial(explained, task="classify")),
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
    Shown("classify/{split}/importance.csv", "Which features the classifiers use, in numbers",
        "Growth of the log-loss once a feature or a group of features is permuted among test "
        "objects.", name="importance_table", columns=ROWS_OF_IMPORTANCE,
        asked=partial(explained, task="classify")),
    Shown("classify/{split}/partial_dependence.csv",
        "Class probabilities against a feature, in numbers", IF_ALONE,
        name="partial_dependence_table", asked=partial(explained, task="classify")),
)
REDSHIFTS = (
    Shown("regress/{split}/scores.csv", "Scores of the photometric redshifts",
        "Mean over seeds with its interval. Papers use one name for several formulas: the "
        "convention of each score stands below its name.", columns=ROWS_OF_SCORES),
    Shown("regress/{split}/differences.csv", "Differences from the best regressor",
        "Score of each model minus that of the best, on the same objects and the same bootstrap "
        "draws. An interval that holds 0 means that the test part can't tell the two apart.",
        columns=ROWS_OF_DIFFERENCES),
    Shown("regress/{split}/photoz_scores.csv", "SDSS's own photometric redshifts and ours",
        "The table Photoz of SDSS (Beck et al. 2016) and the models of this page, on the test "
        "objects that have an entry there. SDSS calls the error of photoErrorClass 1 alone "
        "reliable. Photoz is fitted to galaxies with spectra of DR12, test objects among them: it "
        "may have seen the redshifts by which it is scored here, our models have not.",
        columns="``objects`` says which objects were scored, ``tested`` how many the test part "
        f"has. {ROWS_OF_SCORES}",
        asked=lambda run, its: its.has_photoz),
    Shown("regress/{split}/photoz_differences.csv", "Differences from SDSS's own redshifts",
        "Score of each model minus that of Photoz, on the same objects and the same bootstrap "
        "draws.", columns=ROWS_OF_DIFFERENCES, asked=lambda run, its: its.has_photoz),
    Shown("regress/{split}/figures/comparison", "Regressors compared",
        "Scores of all regressors with their intervals."),
    Shown("regress/{split}/figures/best_zphot_zspec", "Redshifts of the best regressor",
        "Photometric against spectroscopic redshift of the test objects of all seeds; best by "
        "sigma_NMAD on the test part.", telling=3),
    Shown("regress/{split}/figures/zphot_zspec", "Photometric against spectroscopic redshift",
        "Test objects of all seeds. Solid: equality; dashed: the normalised residual beyond which "
        "objects count as outliers."),
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
    Shown("regress/{split}/figures/importance", "Which features the regressors use",
        "By how much the CRPS (of a model without p(z): the mean absolute error, which is the CRPS "
        "of a point) grows once the values of a feature are permuted among test objects, with "
        f"bootstrap intervals. {PERMUTED}0: the regressor would not miss it.",
        asked=partial(explained, task="regress")),
    Shown("regress/{split}/figures/partial_dependence", "zphot against a feature",
        IF_ALONE, asked=partial(explained, task="regress")),
    Shown("regress/{split}/scores_by_bin.csv",
        "Scores of the photometric redshifts by redshift and magnitude",
        f"The same scores in {SHARED} Bins of true and of predicted redshift answer different "
        "questions: only the second is known for a new object."),
    Shown("regress/{split}/importance.csv", "Which features the regressors use, in numbers",
        "Growth of the CRPS or mean absolute error once a feature or a group of features is "
        "permuted among test objects.", name="importance_table", columns=ROWS_OF_IMPORTANCE,
        asked=partial(explained, task="regress")),
    Shown("regress/{split}/partial_dependence.csv", "zphot against a feature, in numbers",
        IF_ALONE, name="partial_dependence_table", asked=partial(explained, task="regress")),
)
PDFS: tuple[Shown, ...] = (
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
        f"in {SHARED} Right p(z) may be wide, but cover 95 % in every bin of zphot or magnitude."),
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
    Shown("regress/{split}/redshift_stacks.csv",
        "Redshift distributions of tomographic bins, in numbers",
        "Objects by the sum of p(z) and by zspec in bins of redshift, mean over seeds: the numbers "
        "of the figure.", name="redshift_stacks_table"),
    Shown("regress/{split}/pdf_scores_by_bin.csv", "Scores of p(z) by redshift and magnitude",
        f"The same scores in {SHARED} In bins of zspec even right p(z) are not calibrated: the "
        "bins are chosen by the answer."),
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
        "part. Bars: bootstrap over the objects scored.", name="learning", asked=learning),
    Shown("learning/{split}/fits.csv", "Power laws of the learning curves",
        "Floor a, factor b and exponent c of a + b N^−c, and the score that it gives for twice the "
        "training objects. Intervals are of a bootstrap over the objects scored, with a fit for "
        "each replicate. At end: the exponent is at an end of its range (0.05 to 3), so that the "
        "points don't tell a floor from a slow power.", name="learning_fits", asked=learning),
    Shown("learning/{split}/curves.csv", "Learning curves, in numbers",
        "Mean over seeds, of the validation part, by which choices may be made, and of the test "
        "part.", name="learning_table", asked=learning),
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
        asked=lambda run, its: len(its.splits) > 1),
)
# fmt: on
PDFS = tuple(shown._replace(asked=pdf_models) for shown in PDFS)
