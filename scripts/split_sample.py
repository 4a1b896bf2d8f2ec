"""Split a sample into train, validation, calibration and test, once per seed.

Reads the feature table and one entry of the sample's `splits`. Rows of a group (an object with its
duplicates, a plate, a cell of the sky) stay together; parts are drawn by a hash of the group's key,
so that added rows do not move others. Writes the development rows and the test rows to two files,
so that a training rule can't read test rows, and the counts of every part.
"""

from pydantic import TypeAdapter

from sdssflow.configuration.splits import Split
from sdssflow.logs import run
from sdssflow.prepare.splits import split_sample
from sdssflow.tables import read_parquet, write_csv, write_parquet


def main(snakemake):
    development, test, parts = split_sample(
        read_parquet(snakemake.input.features),
        TypeAdapter(Split).validate_json(snakemake.params.settings),
        name=snakemake.params.split,
        seed=snakemake.params.seed,
    )
    write_parquet(development, snakemake.output.development)
    write_parquet(test, snakemake.output.test)
    write_csv(parts, snakemake.output.parts)


if "snakemake" in globals():
    run(main, snakemake)
