"""Draw the figures of a target: estimates for objects without spectra.

==========================  =======================================================================
figure                      content
==========================  =======================================================================
``sky``                     maps of density, stars, zphot and the width of p(z); all objects
``magnitude_color``         colour-magnitude diagrams of the most probable classes
``redshift_distributions``  n(z) of the tomographic bins
==========================  =======================================================================

Input
    sky : Parquet of rule gather_estimates
    drawn, summaries : files of all partitions, in their order
Parameters
    tasks : tasks of the applied models, 'classify' or 'regress' or both
    most : maximum number of objects in all figures but the first
    stack_bins : number of redshift bins of n(z)
    bootstrap : canonical JSON of `bootstrap`
    settings : canonical JSON of `figures`
Output
    figures : PNG or SVG, each named after its figure
"""

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.figures import Figures
from sdssflow.estimate.drawn import read_drawn
from sdssflow.estimate.figures import FIGURES
from sdssflow.estimate.gathering import read_summaries
from sdssflow.logs import run
from sdssflow.plotting import draw_all
from sdssflow.tables import read_parquet


def main(snakemake):
    inputs, params = snakemake.input, snakemake.params
    summaries = read_summaries(inputs.summaries)

    def read(name):
        match name:
            case "sky":
                return read_parquet(inputs.sky)
            case "tasks":
                return list(params.tasks)
            case "drawn":
                return read_drawn(inputs.drawn, summaries, params.most)
            case "objects":
                return sum(summary["numbers"].get("kept", 0) for summary in summaries)
            case "stack_bins":
                return params.stack_bins
            case "bootstrap":
                return Bootstrap.from_canonical(params.bootstrap)
        raise ValueError(f"unknown input {name}")

    settings = Figures.from_canonical(params.settings)
    draw_all(snakemake.output.figures, FIGURES, read, settings)


if "snakemake" in globals():
    run(main, snakemake)
