"""Make a simulated sky of objects without spectra, from which the stand-in for SkyServer answers.

Stars, galaxies and a few quasars, fainter than those that spectra are taken of, by the same forward
model as simulate_sky. What they are is kept apart: the stand-in does not know it.

Input
-----
templates : sky_*.parquet of data/embedded, fluxes of templates

Outputs
-------
photometry : photoobj.parquet, as SkyServer's PhotoObjAll
wise : wise.parquet, sources of WISE with their matches to these; beside it
truth : truth.parquet with objid, spec_class and zspec of the same rows; beside it

Params
------
objects : number of objects
seed : seed of the draws
"""

from pathlib import Path

from sdssflow.logs import run
from skyserver_standin.sky.simulation import simulate_photometry


def main(snakemake):
    folder = Path(snakemake.output.photometry).parent
    simulate_photometry(folder, objects=snakemake.params.objects, seed=snakemake.params.seed)


if "snakemake" in globals():
    run(main, snakemake)
