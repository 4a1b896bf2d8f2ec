"""Draw the learning curves of a split.

Scores of the test part against the number of training objects, with the fitted power law of each
model; the extrapolation is dashed.

Inputs: ``curves``, ``fits`` (CSV of rule measure_learning). Parameters: ``title``, ``settings``
(canonical Figures). Output: ``figure``.
"""

from sdssflow.configuration.figures import Figures
from sdssflow.evaluate.learning_figures import draw_learning
from sdssflow.logs import run
from sdssflow.plotting import save_figure, style
from sdssflow.tables import read_csv


def main(snakemake):
    settings = Figures.from_canonical(snakemake.params.settings)
    tables = (read_csv(snakemake.input[name]) for name in ("curves", "fits"))
    with style():
        figure = draw_learning(*tables, snakemake.params.title)
        save_figure(figure, snakemake.output.figure, settings)


if "snakemake" in globals():
    run(main, snakemake)
