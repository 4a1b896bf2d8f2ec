"""Compare the scores of a sample's models on all its splits.

If scores on a split by plate or sky cell are worse than on a random split, the random split is too
optimistic for use elsewhere in the sky. Values and intervals are those of the score tables. The
test parts of two splits have different objects: the difference is bootstrapped over the coarser
groups of the two, with the same replicates for both (`sdssflow.evaluate.split_comparison`).

Input
    features : `features.parquet` of the sample
    predictions : `predictions.parquet`, task by task, split by split, model by model
    scores : `scores.csv`, task by task, split by split
    pdf_scores : `pdf_scores.csv`, split by split; empty without models that have a p(z)

Parameters
----------
    splits : JSON of the splits by name; the inputs are in the order of the names
    models : JSON of the names of the models by task, in the order of the inputs
    pdf_models : names of the regressors that have a p(z)
    classes, redshifts, bootstrap : canonical JSON of these sections of the run
Output
    table : CSV, one row for each task, model, metric and split
"""

import json

import pandas as pd
from pydantic import TypeAdapter

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores, RedshiftScores
from sdssflow.configuration.splits import Split
from sdssflow.evaluate import class_metrics, pdf_metrics, redshifts
from sdssflow.evaluate.split_comparison import compare_splits
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import run
from sdssflow.tables import metadata, read_csv, read_parquet, read_schema, write_csv


def read_split(paths, models, split):
    for path in paths:
        found = metadata(read_schema(path)).get("split")
        if found != split:
            raise ValueError(f"{path}: predictions of split {found!r}, not of {split!r}")
    return read_predictions(paths, models)


def main(snakemake):
    inputs, params = snakemake.input, snakemake.params
    splits = TypeAdapter(dict[str, Split]).validate_json(params.splits)
    bootstrap = Bootstrap.from_canonical(params.bootstrap)
    features = read_parquet(inputs.features)
    predictions, scores = iter(inputs.predictions), iter(inputs.scores)
    scorers = {
        "classify": class_metrics.scorer(ClassScores.from_canonical(params.classes)),
        "regress": redshifts.scorer(RedshiftScores.from_canonical(params.redshifts)),
    }
    tables = []
    for task, models in json.loads(params.models).items():
        read = {
            split: read_split([next(predictions) for _ in models], models, split)
            for split in sorted(splits)
        }
        known = {split: read_csv(next(scores)) for split in sorted(splits)}
        about = (splits, read, known, scorers[task], bootstrap, task)
        tables.append(compare_splits(features, *about))
        if task == "regress" and params.pdf_models:
            with_pdf = {
                split: [one for one in ones if one.model in params.pdf_models]
                for split, ones in read.items()
            }
            known = dict(zip(sorted(splits), map(read_csv, inputs.pdf_scores), strict=True))
            about = (splits, with_pdf, known, pdf_metrics.SCORER, bootstrap, "pdf")
            tables.append(compare_splits(features, *about))
    write_csv(pd.concat(tables, ignore_index=True), snakemake.output.table)


if "snakemake" in globals():
    run(main, snakemake)
