"""Measure which features regressors use: permutation importance and partial dependence.

For each model in `importance.models`, on randomly drawn test objects: the increase of the CRPS when
a feature, or a group of features, is permuted among them, and the mean zphot against the most
important features (`sdssflow.evaluate.importance`). Without p(z) it is the mean absolute error, the
CRPS of a point estimate. Models only predict, each the objects of its own fold; p(z) are
recalibrated as for the scores.

Input
    models : model folders, one per model and seed, seeds varying fastest
    densities : those of the models with p(z)
    calibrations, references : files of rule calibrate_pdfs, one for each of `densities`
    tests : `test.parquet`, one per seed
Parameters
    models : names of the models
    seeds : the seeds
    settings : canonical JSON of `importance`
    bootstrap : canonical JSON of `bootstrap`
Output
    importance : a row per model, seed and feature or group of features
    dependence : a row per model, feature and value of it
"""

import functools
from pathlib import Path

import numpy as np

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.importance import Importance
from sdssflow.evaluate.importance import Probe, explain_models
from sdssflow.evaluate.pdf_predictions import calibration_of
from sdssflow.logs import run
from sdssflow.models.folders import open_folder
from sdssflow.models.inputs import require_usable
from sdssflow.redshift_pdf.integrals import ranked_probability_scores
from sdssflow.redshift_pdf.summaries import summarise
from sdssflow.regress.calibrations import blocks, read_calibration
from sdssflow.tables import write_csv


def make_probe(folder, fold, part, calibrations):
    opened = open_folder(folder)
    require_usable(part, opened.settings, "test")
    if opened.settings.gives_pdf:
        return pdf_probe(opened, fold, part, calibration_of(opened, calibrations[folder], fold))
    predict = opened.load(fold)

    def losses(features):
        return np.abs(predict(features) - zspec_of(features, part))

    return Probe("mae", losses, lambda features: {"zphot": predict(features)})


def pdf_probe(opened, fold, part, calibration):
    pdf_of, point = opened.load_pdf(fold), opened.fold_settings(fold).point

    def by_block(function, features):
        pdfs = ((calibration.recalibrate(pdf_of(features[b])), b) for b in blocks(len(features)))
        return np.concatenate([function(pdf, b) for pdf, b in pdfs])

    def losses(features):
        zspec = zspec_of(features, part)
        return by_block(lambda pdf, b: ranked_probability_scores(pdf, zspec[b]), features)

    def outputs(features):
        return {"zphot": by_block(lambda pdf, b: summarise(pdf, point)["zphot"], features)}

    return Probe("crps", losses, outputs)


def zspec_of(features, part):
    """Return the redshifts of the objects, repeated like their features."""
    return np.tile(part.zspec, len(features) // len(part))


def main(snakemake):
    inputs, params = snakemake.input, snakemake.params
    files = zip(inputs.densities, inputs.calibrations, inputs.references, strict=True)
    calibrations = {Path(folder): read_calibration(*of_folder) for folder, *of_folder in files}
    importance, dependence = explain_models(
        list(params.models),
        list(inputs.models),
        list(inputs.tests),
        list(params.seeds),
        functools.partial(make_probe, calibrations=calibrations),
        Importance.from_canonical(params.settings),
        Bootstrap.from_canonical(params.bootstrap),
    )
    write_csv(importance, snakemake.output.importance)
    write_csv(dependence, snakemake.output.dependence)


if "snakemake" in globals():
    run(main, snakemake)
