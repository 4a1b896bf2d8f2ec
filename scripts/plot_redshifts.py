"""Draw one figure of the photometric redshifts of a sample and split.

=================  ===============================================================================
figure             what it shows
=================  ===============================================================================
``comparison``     scores of all models with intervals
``zphot_zspec``    prediction against truth, one panel per model
``residuals``      normalised residual against zspec with running median and 68 % band
``by_redshift``    scores in bins of zspec and of zphot
``by_magnitude``   scores in bins of the reference magnitude
``training``       loss curves of the models trained by gradient descent
=================  ===============================================================================

Input
    scores, scores_by_bin : CSV of score_redshifts
    predictions : `predictions.parquet`, one per model
    histories : folders of torch models, with `history.csv` and `card.json`; read for `training`
Parameters
    figure : name of the figure
    models : names of the models, in the order of `predictions`
    settings : canonical JSON of `figures`
Output
    figure : PNG or SVG
"""

from pathlib import Path

from sdssflow.configuration.figures import Figures
from sdssflow.evaluate import redshift_figures as figures
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import run
from sdssflow.plotting import save_figure, style
from sdssflow.regress.model_folders import open_folder
from sdssflow.tables import read_csv


def draw(name, snakemake):
    models = list(snakemake.params.models)
    match name:
        case "comparison":
            return figures.draw_comparison(read_csv(snakemake.input.scores), models)
        case "zphot_zspec":
            predictions = read_predictions(snakemake.input.predictions, models)
            return figures.draw_zphot_zspec(predictions)
        case "residuals":
            return figures.draw_residuals(read_predictions(snakemake.input.predictions, models))
        case "by_redshift":
            scores = read_csv(snakemake.input.scores_by_bin)
            return figures.draw_by_bin(scores, models, ["zspec", "zphot"])
        case "by_magnitude":
            scores = read_csv(snakemake.input.scores_by_bin)
            return figures.draw_by_bin(scores, models, ["reference_mag"])
        case "training":
            rows = []
            for folder in snakemake.input.histories:
                card = open_folder(folder).card
                rows.append((card["model"], card["seed"], read_csv(Path(folder) / "history.csv")))
            return figures.draw_training(rows)
    raise ValueError(f"plot_redshifts: there is no figure {name!r}")


def main(snakemake):
    settings = Figures.from_canonical(snakemake.params.settings)
    with style():
        figure = draw(snakemake.params.figure, snakemake)
        save_figure(figure, snakemake.output.figure, settings)


if "snakemake" in globals():
    run(main, snakemake)
