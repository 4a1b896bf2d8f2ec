"""Compare the scores of this run with published numbers.

Each entry of `config/published/` has a number, its convention and our counterparts;
`sdssflow.evaluate.published` defines when a number is reproduced. Comparisons that this run lacks
are also listed, with how to get them.

Input
    scores : score tables of the samples that entries are compared with; may be empty
    predictions : test predictions of the models that curves, and numbers with another selection
        than ours, are compared with; may be empty
Parameters
    numbers : JSON object, name of an entry to its definition
    tables : [sample, task, split] of each of the scores, in order
    predicting : [sample, split, model] of each of the predictions, in order
    bootstrap : canonical JSON of `bootstrap`
    reasons : JSON object, name of a sample to the reason why this run does not have it
    settings : canonical JSON of `figures`
Output
    published : CSV, a row for each comparison of each entry
    curves : figure of the published curves and ours
"""

import json
import logging

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.figures import Figures
from sdssflow.configuration.published import PublishedNumber
from sdssflow.evaluate.published import VERDICTS, check_numbers
from sdssflow.evaluate.published_figures import draw_curves
from sdssflow.evaluate.selections import scores_of_curves, weighted_scores
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import run
from sdssflow.plotting import save_figure, style
from sdssflow.tables import read_csv, write_csv


def main(snakemake):
    numbers = {
        name: PublishedNumber.model_validate(definition)
        for name, definition in json.loads(snakemake.params.numbers).items()
    }
    keys = [tuple(key) for key in json.loads(snakemake.params.tables)]
    paths = list(snakemake.input.get("scores", []))
    tables = {key: read_csv(path) for key, path in zip(keys, paths, strict=True)}
    models = [tuple(key) for key in json.loads(snakemake.params.predicting)]
    paths = list(snakemake.input.get("predictions", []))
    predictions = {
        key: read_predictions([path], [key[-1]])[0] for key, path in zip(models, paths, strict=True)
    }
    bootstrap = Bootstrap.from_canonical(snakemake.params.bootstrap)
    reasons = json.loads(snakemake.params.reasons)
    of_predictions = (
        scores_of_curves(numbers, predictions, bootstrap),
        weighted_scores(numbers, predictions, bootstrap),
    )
    table = check_numbers(numbers, tables, reasons, *of_predictions)
    write_csv(table, snakemake.output.published)
    with style():
        settings = Figures.from_canonical(snakemake.params.settings)
        save_figure(draw_curves(table), snakemake.output.curves, settings)
    counts = table["verdict"].value_counts()
    for verdict in VERDICTS:
        logging.info("%s: %d", verdict, counts.get(verdict, 0))


if "snakemake" in globals():
    run(main, snakemake)
