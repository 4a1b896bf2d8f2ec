"""Draw the figures of the redshift densities p(z) of a sample and split.

====================  ============================================================================
figure                what it shows
====================  ============================================================================
``pit``               histogram of the probability integral transform, one panel per model
``coverage``          observed against nominal coverage of central intervals of all levels
``pdf_by_bin``        CRPS, coverage and width in bins of zphot and reference magnitude
``pdf_gallery``       p(z) of twelve test objects of the model with the lowest CRPS
``redshift_stacks``   stacked p(z) against zspec in tomographic bins
====================  ============================================================================

Input
    scores, scores_by_bin, pit : CSV of score_pdfs
    stacks, summary : CSV of stack_pdfs
    predictions : `predictions.parquet` of the models with p(z)
    pdfs : `pdfs.hdf5` of the same models; that of the best is read for `pdf_gallery`
Parameters
    models : names of the models, in the order of `predictions`
    level : confidence level of the bands
    settings : canonical JSON of `figures`
Output
    figures : PNG or SVG, each named after its figure
"""

from functools import cache

from sdssflow.configuration.figures import Figures
from sdssflow.evaluate.metrics import best_model
from sdssflow.evaluate.pdf_figures import FIGURES
from sdssflow.evaluate.stacks import read_quantiles
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import run
from sdssflow.plotting import draw_all
from sdssflow.tables import read_csv


def main(snakemake):
    inputs, models = snakemake.input, list(snakemake.params.models)

    @cache
    def read(name):
        match name:
            case "models":
                return models
            case "level":
                return snakemake.params.level
            case "predictions":
                return read_predictions(inputs.predictions, models)
            case "best_predictions":
                return read("predictions")[models.index(best_model(read("scores"), "crps"))]
            case "best_quantiles":
                best = read("best_predictions")
                return read_quantiles(inputs.pdfs[models.index(best.model)], best)
        return read_csv(getattr(inputs, name))

    settings = Figures.from_canonical(snakemake.params.settings)
    draw_all(snakemake.output.figures, FIGURES, read, settings)


if "snakemake" in globals():
    run(main, snakemake)
