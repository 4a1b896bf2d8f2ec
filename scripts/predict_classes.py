"""Predict the class probabilities of all test objects with one classifier.

Reads the model folders and the test rows of all seeds. Each object of a fold is predicted by the
model of that fold, which was not trained on it. Writes one row per test object and seed with the
true class and `probability_GALAXY`, `probability_QSO`, `probability_STAR`; they sum to 1, and a
class that is not in the training part has probability 0. `class_set_90` is the conformal set of
classes (`sdssflow.classify.decisions`), null without calibration part. Model files with types that
this project does not save are refused.
"""

import functools

import pyarrow as pa

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.decisions import CLASS_SET, SETS, class_set_thresholds, set_codes
from sdssflow.classify.held_out import read_held_out
from sdssflow.evaluate.prediction_tables import predict_tests
from sdssflow.logs import run
from sdssflow.models.folders import open_folder
from sdssflow.models.inputs import require_features
from sdssflow.tables import write_parquet


def predict(folder, fold, part, threads):
    opened = open_folder(folder)
    require_features(part, opened.settings)
    probability = opened.load(fold, threads)(part.features)
    columns = {f"probability_{name}": probability[:, i] for i, name in enumerate(CLASSES)}
    known, truth = read_held_out(folder, fold)
    codes = set_codes(probability, class_set_thresholds(known, truth))
    sets = pa.array([SETS[code] if len(truth) else None for code in codes], pa.string())
    return {"spec_class": part.spec_class, **columns, CLASS_SET: sets}


def main(snakemake):
    table = predict_tests(
        snakemake.input.models,
        snakemake.input.tests,
        snakemake.params.seeds,
        snakemake.params.model,
        functools.partial(predict, threads=snakemake.threads),
    )
    write_parquet(table, snakemake.output.predictions)


if "snakemake" in globals():
    run(main, snakemake)
