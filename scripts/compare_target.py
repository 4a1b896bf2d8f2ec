"""Compare a target with the training part of the model that estimates its redshifts.

Inputs
------
bundles : folders or ZIP files of the models that are applied
drawn, summaries : files of all partitions, in their order

Output
------
shift : `shift.csv`, one row per fold of the model with p(z): fraction of objects outside of the
    training part, AUC of a classifier between the two, effective number of training objects

Params
------
most : maximum number of objects of the target to compare
neighbours : number of nearest training objects for the densities
"""

from sdssflow import bundle
from sdssflow.configuration.targets import read_manifest
from sdssflow.estimate.comparison import compare_target
from sdssflow.estimate.drawn import read_drawn
from sdssflow.estimate.gathering import read_summaries
from sdssflow.logs import run
from sdssflow.tables import write_csv


def main(snakemake):
    inputs, params = snakemake.input, snakemake.params
    summaries = read_summaries(inputs.summaries)
    (path,) = (path for path in inputs.bundles if read_manifest(path)["task"] == "regress")
    drawn = read_drawn(
        inputs.drawn,
        summaries,
        params.most,
        lambda name: name == "zphot" or name.startswith("regress:"),
    )
    table = compare_target(bundle.load(path), drawn, summaries, params.neighbours)
    write_csv(table, snakemake.output.shift)


if "snakemake" in globals():
    run(main, snakemake)
