"""Draw one figure of the redshift densities p(z) of a sample and split.

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
    pdfs : `pdfs.hdf5` of the same models; read for `pdf_gallery` only
Parameters
    figure : name of the figure
    models : names of the models, in the order of `predictions`
    level : confidence level of the bands
    settings : canonical JSON of `figures`
Output
    figure : PNG or SVG
"""

from sdssflow.configuration.figures import Figures
from sdssflow.evaluate import pdf_figures as figures
from sdssflow.evaluate.pdfs import best_model
from sdssflow.evaluate.stacks import read_quantiles
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import run
from sdssflow.plotting import save_figure, style
from sdssflow.tables import read_csv


def draw(name, snakemake):
    models = list(snakemake.params.models)
    inputs = snakemake.input
    match name:
        case "pit":
            return figures.draw_pit(read_csv(inputs.pit), read_csv(inputs.scores), models)
        case "coverage":
            predictions = read_predictions(inputs.predictions, models)
            return figures.draw_coverage(predictions, snakemake.params.level)
        case "pdf_by_bin":
            return figures.draw_by_bin(read_csv(inputs.scores_by_bin), models)
        case "pdf_gallery":
            place = models.index(best_model(read_csv(inputs.scores)))
            prediction = read_predictions(inputs.predictions, models)[place]
            return figures.draw_gallery(prediction, *read_quantiles(inputs.pdfs[place], prediction))
        case "redshift_stacks":
            return figures.draw_stacks(read_csv(inputs.stacks), read_csv(inputs.summary), models)
    raise ValueError(f"plot_pdfs: there is no figure {name!r}")


def main(snakemake):
    settings = Figures.from_canonical(snakemake.params.settings)
    with style():
        figure = draw(snakemake.params.figure, snakemake)
        save_figure(figure, snakemake.output.figure, settings)


if "snakemake" in globals():
    run(main, snakemake)
