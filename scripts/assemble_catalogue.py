"""Put the chunks of a download together as one catalogue, and prove that it is complete.

The chunks have to be those of the plan, each with as many rows as the server counted, and all
together as many as it counted for the whole sample. Sentinels and impossible measurements become
null and are counted, as `import_catalogue` does. Rows are streamed: memory does not grow with them.

Input
-----
plan : JSON of plan_chunks
chunks : Parquet of download_chunk, in order

Outputs
-------
catalogue : Parquet, as `import_catalogue` writes it, in the order of the plan's key
defects : CSV with `column, defect, count, action, example_row`
completeness : CSV, one line per chunk and one for the whole: planned, counted, received

Params
------
sample : name of the sample
simulated : whether the sky is a simulated one
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
