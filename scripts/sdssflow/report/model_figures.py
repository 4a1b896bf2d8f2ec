"""The models that a sample trains, and one record for each figure and table about them.

Snakemake imports this module whenever it parses the workflow: it must not import anything heavier
than pydantic.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample


class Shown(NamedTuple):
    """A figure or table of the report, for a sample, a split, a seed, a model or a target.

    Attributes
    ----------
    path : str
        Path below the results of its sample or target, with ``{split}``, ``{seed}`` and
        ``{model}``; that of a figure has no suffix.
    title, caption : str
        Title and caption.
    name : str
        Name within its stage, by default that of the file. If a figure has the same name, the
        name of the table ends in ``_table``.
    columns : str
        Text on the columns, for Snakemake's report, which shows the file itself.
    telling : int
        The index shows the figure with the highest number of each sample or target; never if 0.
    asked : callable
        Whether a sample of a run, or a target (`Estimated`), has it.
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
        """Whether it is a figure."""
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
    """Return the names of the models of a sample with feature importances, in order."""
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
    "zphot have the edges of those of zspec, and the first and last include all beyond."
)

# of classifiers and regressors alike
PERMUTED = (
    "A group is all features of one quantity, permuted together: correlated features replace each "
    "other, so each may look dispensable. "
)
IF_ALONE = (
    "The mean prediction for the test objects with that feature set to one value and the others "
    "unchanged, whether or not such objects exist; for the most important features of each model, "
    "with bootstrap intervals of the mean."
)
ROWS_OF_IMPORTANCE = (
    "One row per model, seed and feature or group: ``unpermuted`` is the score without "
    "permutation, ``value`` its increase, with a bootstrap interval."
)

# fmt: off
CLASSES = (
    Shown("classify/{split}/scores.csv", "Scores of the classifiers",
        "Mean over seeds with its interval. Purity of a class is its precision, completeness its "
        "recall.", columns=ROWS_OF_SCORES),
    Shown("classify/{split}/differences.csv", "Differences from the best classifier",
        "Score of each model minus that of the best, on the same objects and the same bootstrap "
        "draws. If the interval contains 0, the difference is not significant.",
        columns=ROWS_OF_DIFFERENCES),
    Shown("classify/{split}/figures/comparison", "Classifiers compared",
        "Scores of all classifiers with their intervals."),
    Shown("classify/{split}/figures/best_confusion", "Confusion matrix of the best classifier",
        "Fraction of each true class (rows) assigned to each class (columns); best by macro F1 on "
        "the test part.", telling=2),
    Shown("classify/{split}/figures/confusion", "Confusion matrices",
        "Fraction of each true class (rows) assigned to each class (columns)."),
    Shown("classify/{split}/figures/reliability", "Are the probabilities calibrated?",
        "Observed frequency against predicted probability. On the diagonal, predictions with a "
        "probability of 0.8 are correct eight times in ten; below it the classifier is "
        "overconfident. Rows: the most probable class, then each class. Error bars: bootstrap "
        "intervals; grey: where calibrated probabilities lie, bin by bin; yellow: share of the "
        "objects."),
    Shown("classify/{split}/figures/class_sets", "Coverage of the class sets",
        "Fraction of the objects of each class whose class set contains that class, and the mean "
        "number of classes in the set, in bins of magnitude with equal numbers of objects. The "
        "coverage of 0.9 is guaranteed for each class as a whole, not at each magnitude."),
    Shown("classify/{split}/figures/by_magnitude", "Scores against magnitude",
        "Scores in bins of magnitude with equal numbers of objects, with intervals. Faint objects "
        "have noisier colours."),
    Shown("classify/{split}/figures/roc", "ROC curves",
        "Completeness of each class against the fraction of all other objects that are also "
        "selected (the false positive rate), at every threshold."),
    Shown("classify/{split}/figures/importance", "Which features the classifiers use",
        "Increase of the log-loss when the values of a feature are permuted among test objects, "
        f"with bootstrap intervals. {PERMUTED}0: the classifier does not need it.",
        asked=partial(explained, task="classify")),
    Shown("classify/{split}/figures/partial_dependence", "Class probabilities against a feature",
        IF_ALONE, asked=partial(explained, task="classify")),
    Shown("classify/{split}/scores_by_bin.csv", "Scores of the classifiers by magnitude",
        "The same scores in bins of magnitude with equal numbers of objects, the same for all "
        "models."),
    Shown("classify/{split}/confusion.csv", "Confusion matrices, in numbers",
        "Test objects by true and predicted class, all seeds together, and their fraction of the "
        "true class.", name="confusion_table"),
    Shown("classify/{split}/reliability.csv", "Reliability, in numbers",
        "Mean predicted probability and observed frequency in bins of predicted probability.",
        name="reliability_table"),
    Shown("classify/{split}/class_sets.csv", "Class sets at 90 %, in numbers",
        "The set of an object contains the possible classes: those whose probability is at least "
        "that of nine in ten calibration objects of the class. It therefore contains the true "
        "class of nine in ten objects of each class, whatever the mix of classes. An empty set is "
        "not an error: the object lies between classes. Intervals are from a bootstrap over "
        "groups; the file also has binomial ones.", name="class_sets_table",
        columns="``binomial_lower`` and ``binomial_upper`` are for the number of objects in a test "
        "part, taken as independent."),
    Shown("classify/{split}/operating_points.csv",
        "Thresholds for a required purity or completeness",
        "An object is assigned to a class if the probability of that class reaches the threshold. "
        "Thresholds are chosen on the calibration part: the lowest (for purity) or highest (for "
        "completeness) one that meets the requirement there with a confidence of 90 %. Purity and "
        "completeness are measured on the test part, mean over the seeds with a threshold; for "
        "the others the calibration part is too small, or no threshold meets the requirement.",
        columns="``seeds`` counts those with a threshold; ``operating_points.json`` has the "
        "threshold of each."),
    Shown("classify/{split}/importance.csv", "Which features the classifiers use, in numbers",
        "Increase of the log-loss when a feature or a group of features is permuted among test "
        "objects.", name="importance_table", columns=ROWS_OF_IMPORTANCE,
        asked=partial(explained, task="classify")),
    Shown("classify/{split}/partial_dependence.csv",
        "Class probabilities against a feature, in numbers", IF_ALONE,
        name="partial_dependence_table", asked=partial(explained, task="classify")),
)
REDSHIFTS = (
    Shown("regress/{split}/scores.csv", "Scores of the photometric redshifts",
        "Mean over seeds with its interval. Papers use one name for several formulas: the "
        "convention of each score is given below its name.", columns=ROWS_OF_SCORES),
    Shown("regress/{split}/differences.csv", "Differences from the best regressor",
        "Score of each model minus that of the best, on the same objects and the same bootstrap "
        "draws. If the interval contains 0, the difference is not significant.",
        columns=ROWS_OF_DIFFERENCES),
    Shown("regress/{split}/photoz_scores.csv", "SDSS's own photometric redshifts and ours",
        "The table Photoz of SDSS (Beck et al. 2016) and the models of this page, on the test "
        "objects with an entry there. SDSS calls only the errors of photoErrorClass 1 reliable. "
        "Photoz was fitted to DR12 galaxies with spectra, including test objects: unlike our "
        "models, it may have learnt from the redshifts by which it is scored here.",
        columns="``objects`` says which objects were scored, ``tested`` how many the test part "
        f"has. {ROWS_OF_SCORES}",
        asked=lambda run, its: its.has_photoz),
    Shown("regress/{split}/photoz_differences.csv", "Differences from SDSS's own redshifts",
        "Score of each model minus that of Photoz, on the same objects and the same bootstrap "
        "draws.", columns=ROWS_OF_DIFFERENCES, asked=lambda run, its: its.has_photoz),
    Shown("regress/{split}/figures/comparison", "Regressors compared",
        "Mean over seeds with its interval; black dots: single seeds. A number with an arrow is a "
        "value beyond the panel."),
    Shown("regress/{split}/figures/best_zphot_zspec", "Redshifts of the best regressor",
        "Photometric against spectroscopic redshift of the test objects of all seeds; best by "
        "σ_NMAD on the test part.", telling=3),
    Shown("regress/{split}/figures/zphot_zspec", "Photometric against spectroscopic redshift",
        "Test objects of all seeds. Solid: equality; dashed: the limits of the normalised "
        "residual beyond which objects are outliers."),
    Shown("regress/{split}/figures/residuals", "Residuals against redshift",
        "Normalised residual (zphot − zspec) / (1 + zspec) against the spectroscopic redshift, "
        "with its running median and the central 68 % of the objects."),
    Shown("regress/{split}/figures/by_redshift", "Scores against redshift",
        "Scores in bins of redshift with equal numbers of objects by zspec, with intervals. Bins "
        "of zspec depend on the truth: in them even the best possible estimates are biased towards "
        "the most common redshifts, and a constant estimate has little scatter. Of a new object "
        "only zphot is known."),
    Shown("regress/{split}/figures/by_magnitude", "Scores against magnitude",
        "Scores in bins of magnitude with equal numbers of objects, with intervals."),
    Shown("regress/{split}/figures/training", "Training of the networks",
        "Loss of the models trained by gradient descent against the number of passes over the "
        "training part.", asked=_trains_networks),
    Shown("regress/{split}/figures/importance", "Which features the regressors use",
        "Increase of the CRPS (without p(z) the mean absolute error, which is the CRPS of a point "
        "estimate) when the values of a feature are permuted among test objects, with bootstrap "
        f"intervals. {PERMUTED}0: the regressor does not need it.",
        asked=partial(explained, task="regress")),
    Shown("regress/{split}/figures/partial_dependence", "zphot against a feature",
        IF_ALONE, asked=partial(explained, task="regress")),
    Shown("regress/{split}/scores_by_bin.csv",
        "Scores of the photometric redshifts by redshift and magnitude",
        f"The same scores in {SHARED} Of the true and the predicted redshift, only the latter is "
        "known for a new object."),
    Shown("regress/{split}/importance.csv", "Which features the regressors use, in numbers",
        "Increase of the CRPS or mean absolute error when a feature or a group of features is "
        "permuted among test objects.", name="importance_table", columns=ROWS_OF_IMPORTANCE,
        asked=partial(explained, task="regress")),
    Shown("regress/{split}/partial_dependence.csv", "zphot against a feature, in numbers",
        IF_ALONE, name="partial_dependence_table", asked=partial(explained, task="regress")),
)
PDFS: tuple[Shown, ...] = (
    Shown("regress/{split}/pdf_scores.csv", "Scores of p(z)",
        "Scores of the redshift density p(z) of each object. CRPS and CDE loss measure p(z) as a "
        "whole; the distances of the PIT from uniform and the coverage show whether it is "
        "calibrated, sharpness how narrow it is. Conformal intervals cover 95 % (68 %) of objects "
        "that are exchangeable with those of the calibration part, whatever p(z) is. If the test "
        "part was not chosen at random, as in a published split with a brighter test half, this "
        "is not guaranteed: rely on the coverage measured here.", columns=ROWS_OF_SCORES),
    Shown("regress/{split}/pdf_differences.csv", "Differences in p(z) from the best model",
        "Score of each model minus that of the one with the lowest CRPS, on the same objects and "
        "the same bootstrap draws. If the interval contains 0, the difference is not significant. "
        "A smaller width is better only if the coverage is correct.",
        columns=ROWS_OF_DIFFERENCES),
    Shown("regress/{split}/figures/pit", "Are the densities calibrated?",
        "Histogram of the probability integral transform (PIT), the probability of p(z) below "
        "zspec, relative to the number expected. It is flat for calibrated densities. A hump means "
        "that p(z) is too wide, high ends that it is too narrow, a slope that it is biased. Grey: "
        "where calibrated densities lie, bin by bin."),
    Shown("regress/{split}/figures/coverage", "Coverage of the intervals",
        "Fraction of the objects whose zspec lies within the central interval of p(z), for every "
        "nominal coverage, and the difference from nominal. Unlike conformal intervals, these have "
        "no guarantee. Grey: where calibrated densities lie, level by level."),
    Shown("regress/{split}/figures/pdf_by_bin", "p(z) against redshift and magnitude",
        "CRPS, coverage of the central 95 % interval and half width of the central 68 % interval "
        f"in {SHARED} Calibrated p(z) cover 95 % in every bin of zphot or magnitude."),
    Shown("regress/{split}/figures/pdf_gallery", "Examples of p(z)",
        "Test objects of the model with the lowest CRPS, each selected by the rule above it; most "
        "lopsided means the largest distance of mode and median. p(z) is drawn between its "
        "quantiles 0.003 and 0.997."),
    Shown("regress/{split}/figures/redshift_stacks", "Redshift distributions of tomographic bins",
        "Objects in bins with equal numbers in zphot, for each model: the sum of their p(z) and "
        "their zspec. Above each panel, the error of the mean redshift of the sum. The panels show "
        "the range of 99.8 % of the objects."),
    Shown("regress/{split}/redshift_stacks_summary.csv", "Means and widths of the stacks",
        "Mean and standard deviation of the redshift in each tomographic bin, from the sum of p(z) "
        "and from zspec, and their difference, stack minus truth, with a paired bootstrap "
        "interval."),
    Shown("regress/{split}/redshift_stacks.csv",
        "Redshift distributions of tomographic bins, in numbers",
        "Number of objects by the sum of p(z) and by zspec in bins of redshift, mean over seeds, "
        "as in the figure.", name="redshift_stacks_table"),
    Shown("regress/{split}/pdf_scores_by_bin.csv", "Scores of p(z) by redshift and magnitude",
        f"The same scores in {SHARED} In bins of zspec even correct p(z) are not calibrated, since "
        "the bins depend on the truth."),
    Shown("regress/{split}/covariate_shift.csv", "Scores where spectra are rare",
        "Scores predicted for the test part by the N objects of the calibration part, weighted so "
        "that their features are distributed like those of the test part, with those without "
        "weights and those measured on the test part. Effective N: the number of objects of equal "
        "weight that would be as precise. The p(z) were calibrated on these N objects, so the PIT "
        "and coverages predicted from them are too good."),
    Shown("regress/{split}/{model}/search/{seed}.csv", "Search for settings",
        "Candidates by round, ranked by their CRPS on the validation part: the configured settings "
        "first; the better ones of the others continue with more epochs. Difference: CRPS minus "
        "that of the first of the round, with its standard error. Other settings are chosen only "
        "if they are better by more than twice that. The test part was not used.", name="search"),
)
LEARNING = (
    Shown("learning/{split}/curves", "Learning curves",
        "Scores of the test part against the number of training objects; subsets of the training "
        "part are nested. Lines: fits of a + b N^−c, dashed where extrapolated. Bars: bootstrap "
        "intervals over the objects scored.", name="learning", asked=learning),
    Shown("learning/{split}/fits.csv", "Power laws of the learning curves",
        "Floor a, factor b and exponent c of a + b N^−c, and its value at twice the training "
        "objects. Intervals are from a bootstrap over the objects scored, with a fit to each "
        "replicate. At end: the exponent is at an end of its range (0.05 to 3), so the points "
        "can't distinguish a floor from a slow power.", name="learning_fits", asked=learning),
    Shown("learning/{split}/curves.csv", "Learning curves, in numbers",
        "Mean over seeds, for the validation part, by which choices may be made, and for the test "
        "part.", name="learning_table", asked=learning),
)
SPLITS = (
    Shown("splits/comparison.csv", "Splits side by side",
        "Every model's scores on each split, and differences from the first split. Values and "
        "intervals are those of the score tables. The test parts of two splits are different "
        "objects: the interval of a difference is from a bootstrap over the coarser groups of the "
        "two (objects, plates or sky cells), with the same draws for both, and does not include "
        "the variation between trainings. Worse scores by plate or by cell mean that the random "
        "split is too optimistic for other parts of the sky.",
        columns="``difference`` is the score of ``split`` minus that of ``base``; ``drawn_over`` "
        "names the groups of its bootstrap.", name="split_comparison",
        asked=lambda run, its: len(its.splits) > 1),
)
# fmt: on
PDFS = tuple(shown._replace(asked=pdf_models) for shown in PDFS)
