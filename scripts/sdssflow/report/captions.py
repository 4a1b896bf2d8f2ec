"""Title and caption of every figure and table, by room and name.

The files of the top-level folder ``report/`` say the same in Snakemake's own report; a test holds
the two together.
"""

from __future__ import annotations

from typing import NamedTuple


class Caption(NamedTuple):
    """What stands above and below a figure or table."""

    title: str
    text: str


CONCEPTS: dict[str, Caption] = {
    "redshifted_spectrum": Caption(
        "Why colours carry redshift",
        "A schematic galaxy spectrum slides through the SDSS filters as its redshift grows, and "
        "the colours change with it. The spectrum is a sketch from public physics, not a measured "
        "template.",
    ),
    "redshifted_colors": Caption(
        "Colours of the schematic spectra",
        "AB colours of the schematic spectra through the SDSS filters, by redshift.",
    ),
}

ACQUIRE: dict[str, Caption] = {
    "catalogue": Caption("Catalogue", "Rows as read from the source, in the common schema."),
    "defects": Caption(
        "Defects found in the source",
        "What is wrong with the values as they came, how often, what was done about it and a row "
        "to look at. No row is dropped here: a value that can't be true becomes missing.",
    ),
    "completeness": Caption(
        "Completeness",
        "Of a download: what was planned, what the server counted and what arrived, for each "
        "chunk and for the whole. Numbers of rows are equal, or the run would have stopped. Of "
        "bulk files: rows of each file, those with photometry, those that meet the selection, and "
        "those in the catalogue.",
    ),
}

PREPARE: dict[str, Caption] = {
    "clean": Caption("Clean catalogue", "Rows that passed every cut."),
    "flow_table": Caption(
        "What was cut",
        "Each quality cut in the order of the configuration, with the objects before it, removed "
        "by it and left after it.",
    ),
    "flow": Caption(
        "Objects left after each cut",
        "How many objects each quality cut leaves, in the order in which cuts are applied.",
    ),
    "parts": Caption(
        "How the sample was parted",
        "Objects and groups in each part. A group never stands in two parts: duplicates of an "
        "object, or all objects of a plate or sky cell, stay together. Models learn from train, "
        "stop early on validation, are calibrated on calibration and are judged on test alone.",
    ),
}

EXPLORE: dict[str, Caption] = {
    "sky_map": Caption(
        "Where the objects are",
        "Positions on the sky in equatorial coordinates (ICRS), right ascension growing to the "
        "left.",
    ),
    "magnitudes": Caption("Magnitudes", "Distribution of magnitude in the five bands."),
    "redshifts": Caption("Redshifts", "Distribution of the spectroscopic redshift."),
    "color_color": Caption(
        "Colours against colours",
        "Adjacent colours against each other. Stars lie on a narrow locus; galaxies spread with "
        "type and redshift; quasars are blue in u − g.",
    ),
    "color_redshift": Caption(
        "Colours against redshift",
        "Each adjacent colour against the spectroscopic redshift, with its running median: the "
        "relation that a photometric redshift inverts.",
    ),
    "clusters_table": Caption(
        "Groups found without labels",
        "For each algorithm and number of groups k, the criterion that chooses k, and, where "
        "truth is known, the agreement of the groups with it. ARI is the adjusted Rand index and "
        "AMI the adjusted mutual information: 1 for equal partitions, 0 on average for "
        "independent ones.",
    ),
    "clusters": Caption(
        "Groups in the feature space",
        "Projections of the standardised features on two dimensions, coloured by what is known "
        "of the objects and by the groups that k-means, a Gaussian mixture and HDBSCAN find. "
        "Distances between far groups of a UMAP projection mean nothing.",
    ),
    "cluster_selection": Caption(
        "How many groups?",
        "The criterion of each algorithm against the number of groups, the chosen one marked, and "
        "the agreement of the groups with the truth where it is known.",
    ),
}

CLASSIFY: dict[str, Caption] = {
    "scores": Caption(
        "Scores of the classifiers",
        "Mean over seeds with its interval. Purity of a class is its precision, completeness its "
        "recall.",
    ),
    "differences": Caption(
        "Differences from the best classifier",
        "Score of each model minus that of the best, on the same objects and the same "
        "bootstrap draws. An interval that holds 0 means that the test part can't tell the two "
        "apart.",
    ),
    "scores_by_bin": Caption(
        "Scores of the classifiers by magnitude",
        "The same scores in bins of magnitude with equal numbers of objects; all models share "
        "the bins.",
    ),
    "confusion_table": Caption(
        "Confusion matrices, in numbers", "Test objects by true and predicted class."
    ),
    "reliability_table": Caption(
        "Reliability, in numbers",
        "Mean predicted probability and observed frequency in bins of predicted probability.",
    ),
    "comparison": Caption(
        "Classifiers compared",
        "Scores of all classifiers with their intervals.",
    ),
    "confusion": Caption(
        "Confusion matrices",
        "Fraction of each true class (rows) that each classifier puts in each class (columns).",
    ),
    "reliability": Caption(
        "Are the probabilities right?",
        "Observed frequency against predicted probability. On the diagonal, objects given a "
        "probability of 0.8 are right eight times in ten; below it the classifier is too sure.",
    ),
    "by_magnitude": Caption(
        "Scores against magnitude",
        "Scores in bins of magnitude with equal numbers of objects, with intervals. Faint objects "
        "have noisier colours.",
    ),
    "roc": Caption(
        "Completeness against contamination",
        "Receiver operating characteristic of each class against the rest.",
    ),
}

REGRESS: dict[str, Caption] = {
    "scores": Caption(
        "Scores of the photometric redshifts",
        "Mean over seeds with its interval. Papers use one name for several formulas: the "
        "convention of each score stands below its name.",
    ),
    "differences": Caption(
        "Differences from the best regressor",
        "Score of each model minus that of the best, on the same objects and the same "
        "bootstrap draws. An interval that holds 0 means that the test part can't tell the two "
        "apart.",
    ),
    "scores_by_bin": Caption(
        "Scores of the photometric redshifts by redshift and magnitude",
        "The same scores in bins with equal numbers of objects; all models share the bins. Bins "
        "of true and of predicted redshift answer different questions: only the second is known "
        "for a new object.",
    ),
    "comparison": Caption("Regressors compared", "Scores of all regressors with their intervals."),
    "zphot_zspec": Caption(
        "Photometric against spectroscopic redshift",
        "Test objects of all seeds. Solid: equality; dashed: a normalised residual of ±0.05, the "
        "outlier limit of bright samples.",
    ),
    "residuals": Caption(
        "Residuals against redshift",
        "Normalised residual (zphot − zspec) / (1 + zspec) against the spectroscopic redshift, "
        "with its running median and the band that holds 68 % of the objects.",
    ),
    "by_redshift": Caption(
        "Scores against redshift",
        "Scores in bins of redshift with equal numbers of objects, with intervals.",
    ),
    "by_magnitude": Caption(
        "Scores against magnitude",
        "Scores in bins of magnitude with equal numbers of objects, with intervals.",
    ),
    "training": Caption(
        "Training of the networks",
        "Loss of the models trained by gradient descent against the number of passes over the "
        "training part.",
    ),
}

PDFS: dict[str, Caption] = {
    "pdf_scores": Caption(
        "Scores of p(z)",
        "How well each model knows what it doesn't know: scores of the redshift density p(z) of "
        "each object. CRPS and the CDE loss judge p(z) as a whole; the distances of the PIT from "
        "uniform and the coverage say whether it is calibrated, sharpness how narrow it is. "
        "Conformal intervals cover 95 % (68 %) of objects that are exchangeable with those of "
        "the calibration part, whatever p(z) is. Where the test part was chosen otherwise than "
        "by lot, as in a published split whose test half is brighter, that is no guarantee: the "
        "coverage measured here counts.",
    ),
    "pdf_differences": Caption(
        "Differences in p(z) from the best model",
        "Score of each model minus that of the one with the lowest CRPS, on the same objects and "
        "the same bootstrap draws. An interval that holds 0 means that the test part can't tell "
        "the two apart. A smaller width is better only where the coverage is right.",
    ),
    "pit": Caption(
        "Are the densities calibrated?",
        "Histogram of the probability integral transform (PIT), the probability that p(z) leaves "
        "below zspec, relative to the number expected. Right densities are flat. A hump: p(z) too "
        "wide; high ends: too narrow; a slope: biased. Grey: where right densities lie, bin by "
        "bin.",
    ),
    "coverage": Caption(
        "Coverage of the intervals",
        "Fraction of the objects whose zspec lies within the central interval of p(z), for every "
        "nominal coverage, and how far it is from that. These intervals are p(z)'s own: nothing "
        "guarantees them. Grey: where right densities lie, level by level.",
    ),
    "search": Caption(
        "Search for settings",
        "Candidates by round, judged on the validation part by their CRPS: the configured settings "
        "first, the better ones of the others going on with more epochs. Difference: CRPS minus "
        "that of the configured settings in the same round, with its standard error. Others are "
        "chosen only if they are better by more than that. No test object was looked at.",
    ),
    "pdf_by_bin": Caption(
        "p(z) against redshift and magnitude",
        "CRPS, coverage of the central 95 % interval and half width of the central 68 % interval "
        "in bins with equal numbers of objects. Right p(z) may be wide, but cover 95 % in every "
        "bin of zphot or magnitude.",
    ),
    "pdf_gallery": Caption(
        "Examples of p(z)",
        "Test objects of the model with the lowest CRPS, each chosen by the rule above it, none "
        "by hand; most lopsided means that the highest point lies farthest from the median. p(z) "
        "is drawn from its quantile 0.003 to its quantile 0.997.",
    ),
    "redshift_stacks": Caption(
        "Redshift distributions of tomographic bins",
        "Objects in bins of equal numbers by the zphot of each model: the sum of their p(z) "
        "against their zspec. Above each panel, by how much the mean redshift of the sum is off. "
        "The panels show the range that holds 99.8 % of the objects.",
    ),
    "redshift_stacks_summary": Caption(
        "Means and widths of the stacks",
        "Mean and standard deviation of the redshift in each tomographic bin, of the sum of p(z) "
        "and of zspec, and their difference, stack minus truth, with the interval of a bootstrap "
        "on the same objects.",
    ),
    "pdf_scores_by_bin": Caption(
        "Scores of p(z) by redshift and magnitude",
        "The same scores in bins with equal numbers of objects; all models share the bins. In "
        "bins of zspec even right p(z) are not calibrated: the bins are chosen by the answer.",
    ),
    "covariate_shift": Caption(
        "What the scores are where spectra are rare",
        "Objects with spectra, weighted so that their features are distributed as those of the "
        "target: the scores they foretell for it, beside those without weights and those measured "
        "on the target itself.",
    ),
}
