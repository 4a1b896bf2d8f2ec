"""Score all classifiers of one split by their test predictions.

Reads the predictions of every model, which must be for the same objects. The folds of a
cross-validation are pooled. Every score has a bootstrap interval over groups of objects, and the
draws are the same for all models and seeds, so differences between models are paired.

Thresholds for a required purity or completeness are chosen on the calibration part and then
measured on the test part.

Writes `scores` (each model and seed, and the mean over seeds as seed `all`), `differences` (every
pair of models: accuracy, macro F1, log-loss), `scores_by_bin` (bins of the reference magnitude with
equal numbers of objects, the same for all models; mean over seeds), `confusion`, `reliability`
(calibration curves, seeds pooled), `class_sets` (coverage and size of the class sets, mean over
seeds) and `operating_points`, as CSV and as JSON. docs/metric_conventions.md lists the conventions.
"""

from sdssflow.classify.held_out import read_held_out
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores
from sdssflow.evaluate.class_decisions import class_sets, operating_points
from sdssflow.evaluate.class_metrics import compare_classifiers
from sdssflow.evaluate.tables import counts_by_seed, read_predictions
from sdssflow.files import write_json
from sdssflow.logs import run
from sdssflow.models.folders import open_folder
from sdssflow.tables import write_csv


def main(snakemake):
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    predictions = read_predictions(inputs.predictions, params.models)
    settings = ClassScores.from_canonical(params.settings)
    bootstrap = Bootstrap.from_canonical(params.bootstrap)
    counts = counts_by_seed(predictions, bootstrap)
    tables = compare_classifiers(predictions, settings, bootstrap, counts)
    tables["class_sets"] = class_sets(predictions, settings, bootstrap, counts)
    held_out = {model: {} for model in params.models}
    for folder in inputs.folders:
        card = open_folder(folder).card
        of_folds = {fold: read_held_out(folder, fold) for fold in card["folds"]}
        held_out[card["model"]][card["seed"]] = of_folds
    points, records = operating_points(predictions, held_out, settings, bootstrap, counts)
    tables["operating_points"] = points
    for name, table in tables.items():
        write_csv(table, getattr(output, name))
    write_json(output.thresholds, records)


if "snakemake" in globals():
    run(main, snakemake)
