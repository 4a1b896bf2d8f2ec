"""Make a simulated sky: the tables from which the stand-in for SkyServer answers.

Stars, galaxies and quasars are forward-modelled to what SDSS would have measured
(docs/simulated_sky.md says how, and what is simplified). No observed object is among them.

Input
-----
templates : sky_*.parquet of data/embedded, fluxes of templates

Outputs
-------
spectra : specobj.parquet, as SkyServer's SpecObjAll
photometry : photoobj.parquet, as SkyServer's PhotoObjAll; beside it
wise : wise.parquet, sources of WISE with their matches to these; beside it

Params
------
objects : number of spectra
seed : seed of the draws
"""

from pathlib import Path

from sdssflow.logs import run
from skyserver_standin.sky.simulation import simulate_sky


def main(snakemake):
    folder = Path(snakemake.output.spectra).parent
    simulate_sky(folder, objects=snakemake.params.objects, seed=snakemake.params.seed)


if "snakemake" in globals():
    run(main, snakemake)
