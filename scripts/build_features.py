"""Compute the features of models from magnitudes.

Reads the clean catalogue and the sample's `features` section: the kind of magnitudes, the groups
(colours, reference magnitude, errors, luptitudes, PSF minus model ...), and whether to deredden.
Writes one row per object with its id, the columns for grouping, the truth, and the features. A
feature that leaks class or redshift is an error, and so is a copy or a code of such a column.

Outputs
-------
features : Parquet, as above
alone : CSV with scores of each feature alone, for class and redshift
leaks : CSV with held-out scores of each feature, and of each column that can't be one
"""

from sdssflow.configuration.features import Features
from sdssflow.logs import logger, run
from sdssflow.prepare.features import build_features
from sdssflow.prepare.leak_scores import leak_scores
from sdssflow.prepare.leaks import single_feature_scores
from sdssflow.tables import (
    content_digest,
    metadata,
    read_parquet,
    with_metadata,
    write_csv,
    write_parquet,
)


def main(snakemake):
    catalogue = read_parquet(snakemake.input.catalogue)
    features = build_features(catalogue, Features.from_canonical(snakemake.params.features))
    found = metadata(features.schema)
    logger.info("features %s; extinction: %s", found["features"], found["deredden"])
    names = found["features"]
    values = {name: features[name].to_numpy(zero_copy_only=False) for name in names}
    write_csv(single_feature_scores(values, catalogue), snakemake.output.alone)
    write_csv(leak_scores(values, catalogue, features["object_key"]), snakemake.output.leaks)
    write_parquet(
        with_metadata(features, data_digest=content_digest(features)), snakemake.output.features
    )


if "snakemake" in globals():
    run(main, snakemake)
