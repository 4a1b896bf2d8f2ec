"""Simulate a sky: the tables served by the stand-in for SkyServer.

Stars, galaxies and quasars are forward-modelled to SDSS measurements (docs/simulated_sky.md
describes method and simplifications). No observed object is included.

Input
-----
templates : sky_*.parquet of data/embedded, fluxes of templates

Outputs
-------
spectra : specobj.parquet, as SkyServer's SpecObjAll
photometry : photoobj.parquet, as SkyServer's PhotoObjAll; in the same folder
wise : wise.parquet, WISE sources with their matches to these; in the same folder

Params
------
objects : number of spectra
seed : seed of the random numbers
"""

from pathlib import Path

from sdssflow.logs import run
from skyserver_standin.sky.simulation import simulate_sky


def main(snakemake):
    folder = Path(snakemake.output.spectra).parent
    simulate_sky(folder, objects=snakemake.params.objects, seed=snakemake.params.seed)


if "snakemake" in globals():
    run(main, snakemake)
