"""Simulate a sky of objects without spectra, served by the stand-in for SkyServer.

Stars, galaxies and a few quasars, fainter than spectroscopic targets, with the forward model of
simulate_sky. Their classes and redshifts are in a separate table, which is not served.

Input
-----
templates : sky_*.parquet of data/embedded, fluxes of templates

Outputs
-------
photometry : photoobj.parquet, as SkyServer's PhotoObjAll
wise : wise.parquet, WISE sources with their matches to these; in the same folder
truth : truth.parquet with objid, spec_class and zspec of the same rows; in the same folder

Params
------
objects : number of objects
seed : seed of the random numbers
"""

from pathlib import Path

from sdssflow.logs import run
from skyserver_standin.sky.simulation import simulate_photometry


def main(snakemake):
    folder = Path(snakemake.output.photometry).parent
    simulate_photometry(folder, objects=snakemake.params.objects, seed=snakemake.params.seed)


if "snakemake" in globals():
    run(main, snakemake)
