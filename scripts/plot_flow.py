"""Draw the flow of objects through the quality cuts, and the predictive power of columns.

``flow``: one horizontal bar per cut with the objects kept and removed. ``leaks``: held-out scores
of each feature, and of each column that can't be one, for class and redshift. Both are drawn in one
job, because starting a job takes longer than drawing.

Inputs: ``flow`` (flow.csv), ``leaks`` (leaks.csv). Parameters: ``settings`` (canonical Figures),
``sample``. Outputs: ``flow``, ``leaks``.
"""

from sdssflow.configuration.figures import Figures
from sdssflow.logs import run
from sdssflow.plotting import save_figure, style
from sdssflow.prepare.figures import draw_flow, draw_leaks
from sdssflow.tables import read_csv


def main(snakemake):
    settings = Figures.from_canonical(snakemake.params.settings)
    inputs, output, sample = snakemake.input, snakemake.output, snakemake.params.sample
    with style():
        save_figure(draw_flow(read_csv(inputs.flow), sample), output.flow, settings)
        save_figure(draw_leaks(read_csv(inputs.leaks), sample), output.leaks, settings)


if "snakemake" in globals():
    run(main, snakemake)
