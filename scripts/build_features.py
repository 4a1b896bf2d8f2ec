"""Turn magnitudes into the features that models see.

Reads the clean catalogue and the sample's `features` section: which magnitudes, which groups
(colours, reference magnitude, errors, luptitudes, PSF minus model ...), dereddened or not. Writes
one row per object with its identity, what it can be grouped by, the truth, and the features.
Nothing that gives class or redshift away can be a feature; asking for it is an error.
"""

from sdssflow.configuration.features import Features
from sdssflow.logs import logger, run
from sdssflow.prepare.features import build_features
from sdssflow.tables import content_digest, metadata, read_parquet, with_metadata, write_parquet


def main(snakemake):
    catalogue = read_parquet(snakemake.input.catalogue)
    features = build_features(catalogue, Features.from_canonical(snakemake.params.features))
    found = metadata(features.schema)
    logger.info("features %s; extinction: %s", found["features"], found["deredden"])
    write_parquet(
        with_metadata(features, data_digest=content_digest(features)), snakemake.output.features
    )


if "snakemake" in globals():
    run(main, snakemake)
