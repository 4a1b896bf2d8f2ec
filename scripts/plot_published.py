"""Draw published curves and ours over them.

Input: ``published`` (CSV of check_published). Parameter: ``settings`` (canonical Figures).
Output: ``figure``.
"""

from sdssflow.configuration.figures import Figures
from sdssflow.evaluate.published_figures import draw_curves
from sdssflow.logs import run
from sdssflow.plotting import save_figure, style
from sdssflow.tables import read_csv


def main(snakemake):
    settings = Figures.from_canonical(snakemake.params.settings)
    with style():
        figure = draw_curves(read_csv(snakemake.input.published))
        save_figure(figure, snakemake.output.figure, settings)


if "snakemake" in globals():
    run(main, snakemake)
