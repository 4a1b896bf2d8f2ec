"""Stack the redshift densities p(z) of a sample and split to n(z) of tomographic bins.

Objects are divided by zphot into bins with equal numbers; the sum of their p(z) is compared with
their zspec (`sdssflow.evaluate.stacks`).

Input
    predictions : `predictions.parquet` of the models with p(z)
    pdfs : `pdfs.hdf5` of the same models
Parameters
    models : names of the models, in the order of the inputs
    settings : canonical JSON of `redshift_pdfs`
    bootstrap : canonical JSON of `bootstrap`
Output
    stacks : stacked and true numbers of objects in bins of redshift
    summary : mean and width of both in each tomographic bin, with intervals of the differences
"""

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.evaluate.stacks import read_stacked, stack_edges, stack_table, summary_table
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import run
from sdssflow.tables import write_csv


def main(snakemake):
    settings = RedshiftPdfs.from_canonical(snakemake.params.settings)
    bootstrap = Bootstrap.from_canonical(snakemake.params.bootstrap)
    predictions = read_predictions(snakemake.input.predictions, list(snakemake.params.models))
    edges = stack_edges(predictions[0].frame["zspec"].to_numpy(), settings.stack_bins)
    stacked = [
        read_stacked(path, prediction, edges)
        for path, prediction in zip(snakemake.input.pdfs, predictions, strict=True)
    ]
    write_csv(stack_table(stacked, edges, settings), snakemake.output.stacks)
    write_csv(summary_table(stacked, settings, bootstrap), snakemake.output.summary)


if "snakemake" in globals():
    run(main, snakemake)
