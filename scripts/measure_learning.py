"""Train models on growing subsets of the training part of a split, and score them.

Models and numbers of objects are set in `learning_curves`. Subsets of the training part are nested
and drawn by a hash of row_id and the seed; validation and calibration part are used whole, as in
training rules. Scores are computed for the validation part, by which choices may be made, and for
the test part (`sdssflow.evaluate.learning`).

Input
    developments, tests : `development.parquet` and `test.parquet`, one per seed
Parameters
    seeds : the seeds, in the order of the inputs
    models : JSON, task -> name -> settings of a model
    learning, classes, redshifts, bootstrap : canonical JSON of these sections of the run
Output
    curves : CSV, score against number of training objects, mean over seeds
    fits : CSV, the power law a + b N^-c of each curve
"""

import json

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.learning import LearningCurves
from sdssflow.configuration.scores import ClassScores, RedshiftScores
from sdssflow.evaluate.learning import SCORED, Fold, learning_tables, scorer_of
from sdssflow.logs import run
from sdssflow.models.folders import read_settings
from sdssflow.prepare.parts import PARTS, folds, read_part
from sdssflow.tables import write_csv


def main(snakemake):
    inputs, params = snakemake.input, snakemake.params
    learning = LearningCurves.from_canonical(params.learning)
    classes = ClassScores.from_canonical(params.classes)
    redshifts = RedshiftScores.from_canonical(params.redshifts)
    models = {
        task: {name: read_settings(task, json.dumps(its)) for name, its in named.items()}
        for task, named in json.loads(params.models).items()
    }

    files = zip(params.seeds, inputs.developments, inputs.tests, strict=True)
    read = [
        Fold(seed, {
            part: read_part(test if part == SCORED[-1] else development, fold, part)
            for part in PARTS
        })
        for seed, development, test in files
        for fold in folds(development)
    ]  # fmt: skip
    curves, fits = learning_tables(
        models,
        read,
        (learning.smallest, learning.points),
        {task: scorer_of(task, classes, redshifts) for task in models},
        Bootstrap.from_canonical(params.bootstrap),
        snakemake.threads,
    )
    write_csv(curves, snakemake.output.curves)
    write_csv(fits, snakemake.output.fits)


if "snakemake" in globals():
    run(main, snakemake)
