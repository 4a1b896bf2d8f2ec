"""Make a simulated sky with some odd objects, from which the stand-in for SkyServer answers.

The sky of simulate_sky, in which the fluxes of some objects are made odd: one band is off, another
object lies in front, dust reddens it (`skyserver_standin.sky.oddities`). Which ones is kept apart:
the stand-in does not know it, and no feature is made of it.

Input
-----
templates : sky_*.parquet of data/embedded, fluxes of templates

Outputs
-------
spectra : specobj.parquet, as SkyServer's SpecObjAll
photometry : photoobj.parquet, as SkyServer's PhotoObjAll; beside it
wise : wise.parquet, sources of WISE with their matches to these; beside it
oddities : oddities.parquet with objid and kind of what was made odd; beside it

Params
------
objects : number of spectra
oddities : number of objects that are made odd
seed : seed of the draws
"""

from pathlib import Path

from sdssflow.logs import run
from skyserver_standin.sky.odd_sky import simulate_oddities


def main(snakemake):
    folder, params = Path(snakemake.output.spectra).parent, snakemake.params
    simulate_oddities(folder, params.objects, params.seed, params.oddities)


if "snakemake" in globals():
    run(main, snakemake)
