"""Apply trained models to one partition of a target, in one pass and bounded memory.

A partition that can't be used (a damaged file, another schema, repeated ids) is set aside: its
table is empty, its summary has the reason, and the other partitions continue. The run ends with an
error that lists them (rule check_estimates).

Inputs
------
bundles : folders or ZIP files of the models
catalogue : the downloaded catalogue or file; none for files of the user

Outputs
-------
estimates : Parquet, one row per object that passed the cuts, in the order of the source
summary : JSON with counts, and in `refused` why the partition was set aside, '' if it was not
drawn : Parquet, objects drawn for the figures
sky : Parquet, sums over cells of the sky
pdfs : 99 quantiles of each p(z) as a file of qp, if configured

Params
------
target : canonical JSON of the target
name : name of the target
part : number of the partition, and of equal parts of the file
drawn : maximum number of objects drawn for the figures
source_files : the file, if it is one of the user's; its content counts, not its time stamp
source_digests : its SHA-256 when the run began
"""

import pyarrow as pa

from sdssflow import bundle
from sdssflow.acquire.errors import CatalogueError
from sdssflow.configuration.targets import Target
from sdssflow.estimate.partitions import Partition
from sdssflow.estimate.streaming import Estimates, estimate_partition, pdf_file
from sdssflow.estimate.summary import Counts, Drawn
from sdssflow.files import write_json
from sdssflow.logs import logger, run
from sdssflow.prepare.columns import MissingColumnError
from sdssflow.tables import write_parquet

NOTHING = pa.table({"row_id": pa.array([], pa.int64())})


def main(snakemake):
    params, output = snakemake.params, snakemake.output
    bundles = [bundle.load(path) for path in snakemake.input.bundles]
    (path,) = [*params.source_files, *snakemake.input.catalogue]
    pdfs = output.get("pdfs")
    refused = ""
    try:
        found = estimate_partition(
            Target.from_canonical(params.target),
            params.name,
            Partition(path, *params.part),
            bundles,
            output.estimates,
            pdfs,
            snakemake.threads,
            params.drawn,
        )
    except (CatalogueError, MissingColumnError, bundle.BundleError) as error:
        refused = str(error)
        logger.error("set aside: %s", refused)
        found = Estimates(Counts(), Drawn(1))
        found.drawn.add(NOTHING.append_column("key", pa.array([], pa.uint64())))
        write_parquet(NOTHING, output.estimates)
        if pdfs:
            with pdf_file(pdfs):
                pass
    defects = found.defects.frame().to_dict("records")
    content = {"refused": refused, "defects": defects, **found.counts.content()}
    write_json(output.summary, content)
    write_parquet(found.drawn.table(), output.drawn)
    write_parquet(found.counts.sky.table(), output.sky)


if "snakemake" in globals():
    run(main, snakemake)
