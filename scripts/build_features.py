"""Turn magnitudes into the features that models see.

Reads the clean catalogue and the sample's `features` section: which magnitudes, which groups
(colours, reference magnitude, errors, luptitudes, PSF minus model ...), dereddened or not. Writes
one row per object with its identity, what it can be grouped by, the truth, and the features.
Nothing that gives class or redshift away can be a feature: asking for it is an error, and so is a
column that is a copy or a code of what can't be one.

Outputs
-------
features : Parquet, as above
alone : CSV with what each feature says of class and redshift by itself
leaks : CSV with what each feature says of objects not looked at, beside what each column that can't
    be a feature would
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
