"""Simulate a sky with some odd objects, served by the stand-in for SkyServer.

The fluxes of some objects in the sky of simulate_sky are changed: one band is wrong, they are
blended with another object, or reddened by dust (`skyserver_standin.sky.oddities`). The list of odd
objects is a separate table, which is neither served nor used as a feature.

Input
-----
templates : sky_*.parquet of data/embedded, fluxes of templates

Outputs
-------
spectra : specobj.parquet, as SkyServer's SpecObjAll
photometry : photoobj.parquet, as SkyServer's PhotoObjAll; in the same folder
wise : wise.parquet, WISE sources with their matches to these; in the same folder
oddities : oddities.parquet with objid and kind of the odd objects; in the same folder

Params
------
objects : number of spectra
oddities : number of odd objects
seed : seed of the random numbers
"""

from pathlib import Path

from sdssflow.logs import run
from skyserver_standin.sky.odd_sky import simulate_oddities


def main(snakemake):
    folder, params = Path(snakemake.output.spectra).parent, snakemake.params
    simulate_oddities(folder, params.objects, params.seed, params.oddities)


if "snakemake" in globals():
    run(main, snakemake)
