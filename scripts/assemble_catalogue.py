"""Assemble the chunks of a download into one catalogue, and prove that it is complete.

The chunks have to be those of the plan, each with the number of rows counted by the server, which
also has to match for the total. Sentinels and impossible measurements become null and are counted,
as in `import_catalogue`. Rows are streamed: memory does not grow with the sample.

Input
-----
plan : JSON of plan_chunks
chunks : Parquet of download_chunk, in order

Outputs
-------
catalogue : Parquet, as from `import_catalogue`, in the order of the plan's key
defects : CSV with `column, defect, count, action, example_row`
completeness : CSV, one line per chunk and one for the total: planned, counted, received

Params
------
sample : name of the sample
simulated : whether the sky is simulated
"""

from sdssflow.acquire.download.assembly import assemble
from sdssflow.acquire.download.plan import Plan
from sdssflow.logs import logger, run
from sdssflow.tables import write_csv


def main(snakemake):
    plan = Plan.read(snakemake.input.plan)
    completeness, defects = assemble(
        plan,
        list(snakemake.input.chunks),
        snakemake.output.catalogue,
        snakemake.params.sample,
        snakemake.params.simulated,
    )
    write_csv(defects, snakemake.output.defects)
    write_csv(completeness, snakemake.output.completeness)
    logger.info("%d rows of %d counted by the server", completeness["rows"].iloc[-1], plan.rows)


if "snakemake" in globals():
    run(main, snakemake)
