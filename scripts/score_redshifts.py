"""Score the predicted redshifts of all models of a sample and split.

Every metric has a named convention (docs/metric_conventions.md) and a bootstrap interval over
groups of objects. All models share the draws, so their differences are paired.

Input
    predictions : `predictions.parquet`, one per model
Parameters
    models : names of the models, in the order of the inputs
    settings : canonical JSON of `redshift_scores`
    bootstrap : canonical JSON of `bootstrap`
Output
    scores : every metric of every model, per seed and averaged over seeds
    differences : paired differences between all pairs of models
    scores_by_bin : scores in bins of zspec, zphot and reference magnitude
"""

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import RedshiftScores
from sdssflow.evaluate.redshifts import compare_regressors
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import run
from sdssflow.tables import write_csv


def main(snakemake):
    tables = compare_regressors(
        read_predictions(snakemake.input.predictions, list(snakemake.params.models)),
        RedshiftScores.from_canonical(snakemake.params.settings),
        Bootstrap.from_canonical(snakemake.params.bootstrap),
    )
    for name, table in tables.items():
        write_csv(table, getattr(snakemake.output, name))


if "snakemake" in globals():
    run(main, snakemake)
