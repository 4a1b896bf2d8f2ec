"""Draw the flow of objects through the quality cuts.

Reads the flow table, writes one horizontal bar per cut with what is left and what was removed.
"""

from sdssflow.configuration.figures import Figures
from sdssflow.logs import run
from sdssflow.plotting import save_figure, style
from sdssflow.prepare.figures import draw_flow
from sdssflow.tables import read_csv


def main(snakemake):
    with style():
        figure = draw_flow(read_csv(snakemake.input.flow), snakemake.params.sample)
        save_figure(
            figure, snakemake.output.figure, Figures.from_canonical(snakemake.params.settings)
        )


if "snakemake" in globals():
    run(main, snakemake)
