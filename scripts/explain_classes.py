"""Measure which features classifiers use: permutation importance and partial dependence.

For each model in `importance.models`, on randomly drawn test objects: the increase of the log-loss
when a feature, or a group of features, is permuted among them, and the mean probability of each
class against the most important features (`sdssflow.evaluate.importance`). Models only predict,
each the objects of its own fold.

Input
    models : model folders, one per model and seed, seeds varying fastest
    tests : `test.parquet`, one per seed
Parameters
    models : names of the models
    seeds : the seeds
    settings : canonical JSON of `importance`
    bootstrap : canonical JSON of `bootstrap`
Output
    importance : a row per model, seed and feature or group of features
    dependence : a row per model, feature, value of it and class
"""

import functools

import numpy as np

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.losses import class_codes, log_losses
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.importance import Importance
from sdssflow.evaluate.importance import Probe, explain_models
from sdssflow.logs import run
from sdssflow.models.folders import open_folder
from sdssflow.models.inputs import require_features
from sdssflow.tables import write_csv


def make_probe(folder, fold, part, threads):
    opened = open_folder(folder)
    require_features(part, opened.settings)
    predict, truth = opened.load(fold, threads), class_codes(part.spec_class)

    def losses(features):
        return log_losses(predict(features), np.tile(truth, len(features) // len(truth)))

    def outputs(features):
        return dict(zip(CLASSES, np.ascontiguousarray(predict(features).T), strict=True))

    return Probe("log_loss", losses, outputs)


def main(snakemake):
    inputs, params = snakemake.input, snakemake.params
    importance, dependence = explain_models(
        list(params.models),
        list(inputs.models),
        list(inputs.tests),
        list(params.seeds),
        functools.partial(make_probe, threads=snakemake.threads),
        Importance.from_canonical(params.settings),
        Bootstrap.from_canonical(params.bootstrap),
    )
    write_csv(importance, snakemake.output.importance)
    write_csv(dependence, snakemake.output.dependence)


if "snakemake" in globals():
    run(main, snakemake)
