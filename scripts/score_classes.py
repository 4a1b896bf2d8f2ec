"""Score all classifiers of one split by their test predictions.

Reads the predictions of every model; all must be about the same objects. The folds of a
cross-validation are pooled. Every score has a bootstrap interval over groups of objects, and the
draws are the same for all models and seeds, so differences between models are paired.

Writes `scores` (each model and seed, and the mean over seeds as seed `all`), `differences` (every
pair of models: accuracy, macro F1, log-loss), `scores_by_bin` (bins of the reference magnitude with
equal numbers of objects, the same for all models; mean over seeds), `confusion` and `reliability`
(calibration curves, seeds pooled). docs/metric_conventions.md lists the conventions.
"""

from sdssflow.configuration.scores import Bootstrap, ClassScores
from sdssflow.evaluate.class_metrics import compare_classifiers
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import run
from sdssflow.tables import write_csv


def main(snakemake):
    tables = compare_classifiers(
        read_predictions(snakemake.input.predictions, snakemake.params.models),
        ClassScores.from_canonical(snakemake.params.settings),
        Bootstrap.from_canonical(snakemake.params.bootstrap),
    )
    for name, table in tables.items():
        write_csv(table, getattr(snakemake.output, name))


if "snakemake" in globals():
    run(main, snakemake)
