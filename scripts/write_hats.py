"""Write the estimates of a target as one HATS catalogue, which LSDB reads.

The catalogue is written only if all partitions are estimated: it would not show that one is
missing.

Inputs
------
estimates : Parquet of each partition, with ra and dec
complete : written if none was set aside

Output
------
folder : the HATS catalogue

Params
------
title : title of the target
"""

from sdssflow.estimate.hats import About, write_hats
from sdssflow.logs import run


def main(snakemake):
    about = About(snakemake.wildcards.target, snakemake.params.title)
    write_hats(snakemake.input.estimates, snakemake.output.folder, about)


if "snakemake" in globals():
    run(main, snakemake)
