"""Draw the figures of the photometric redshifts of a sample and split.

======================  ==========================================================================
figure                  what it shows
======================  ==========================================================================
``comparison``          scores of all models with intervals
``best_zphot_zspec``    prediction against truth, of the best model
``zphot_zspec``         prediction against truth, one panel per model
``residuals``           normalised residual against zspec with running median and 68 % band
``by_redshift``         scores in bins of zspec and of zphot
``by_magnitude``        scores in bins of the reference magnitude
``training``            loss curves of the models trained by gradient descent, if there are any
``importance``          importance of each feature, if measured
``partial_dependence``  mean zphot against a feature, if measured
======================  ==========================================================================

Input
    scores, scores_by_bin : CSV of score_redshifts
    predictions : `predictions.parquet`, one per model
    histories : folders of torch models, with `history.csv` and `card.json`; read for `training`
    importance, dependence : CSV of explain_redshifts, where models are explained
Parameters
    models : names of the models, in the order of `predictions`
    settings : canonical JSON of `figures`
Output
    figures : PNG or SVG, each named after its figure
"""

import json
from pathlib import Path

from sdssflow.configuration.figures import Figures
from sdssflow.evaluate.redshift_figures import FIGURES
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import run
from sdssflow.plotting import draw_all
from sdssflow.tables import read_csv


def read_history(folder):
    card = json.loads((Path(folder) / "card.json").read_text(encoding="utf-8"))
    return card["model"], card["seed"], read_csv(Path(folder) / "history.csv")


def main(snakemake):
    models = list(snakemake.params.models)

    def read(name):
        match name:
            case "models":
                return models
            case "predictions":
                return read_predictions(snakemake.input.predictions, models)
            case "histories":
                return [read_history(folder) for folder in snakemake.input.histories]
        return read_csv(getattr(snakemake.input, name))

    settings = Figures.from_canonical(snakemake.params.settings)
    draw_all(snakemake.output.figures, FIGURES, read, settings)


if "snakemake" in globals():
    run(main, snakemake)
