"""Find groups in a sample without using its classes, and compare them with the classes.

Uses at most `explore.max_objects` objects, drawn by a hash of row_id and the seed, in standardised
features. The number of groups, from `explore.clusters`, has the largest silhouette for k-means and
the smallest BIC for the Gaussian mixture; HDBSCAN determines it itself. Groups need not be classes:
stars form one curved locus that a mixture fits with several Gaussians, so BIC tells how many
Gaussians describe the density, not how many kinds of objects there are.

Input: ``features``. Parameters: ``explore`` (canonical Clustering), ``seed``, ``bootstrap``
(canonical). Outputs: ``table`` (clusters.csv: each criterion for each number of groups, the
agreement ARI, AMI with the column ``truth``: ``spec_class``, or ``zspec_terciles`` if fewer than
two classes are known, and the features ``left_out`` because they are missing for some objects),
``labels`` (clusters.parquet: row_id, kmeans, mixture, hdbscan; -1 is noise), ``agreement`` (ARI and
AMI of the chosen groups with bootstrap intervals) and ``contingency`` (number of objects of each
class in each group).
"""

import logging

import numpy as np

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.clustering import ALGORITHMS, Clustering
from sdssflow.evaluate.groups import agreement
from sdssflow.explore.clusters import find_clusters, true_groups
from sdssflow.explore.feature_space import read_feature_space
from sdssflow.logs import run
from sdssflow.tables import read_parquet, write_csv, write_parquet

logger = logging.getLogger("sdssflow")


def main(snakemake):
    settings = Clustering.from_canonical(snakemake.params.explore)
    seed = snakemake.params.seed
    features = read_parquet(snakemake.input.features)
    space = read_feature_space(features, settings.max_objects, seed)
    table, labels = find_clusters(space, settings, seed)
    for row in table[table.chosen].itertuples():
        logger.info("%s: k = %d, %s %.4g", row.algorithm, row.k, row.criterion, row.value)
        if row.algorithm != "hdbscan" and row.k == table[table.algorithm == row.algorithm].k.max():
            logger.warning(
                "%s chose the largest k tried (%d): explore.clusters may end too early",
                row.algorithm, row.k,
            )  # fmt: skip
    write_csv(table, snakemake.output.table)
    write_parquet(space.with_provenance(labels), snakemake.output.labels)
    truth = true_groups(space.table)
    scores, contingency = agreement(
        {name: labels.column(name).to_numpy() for name in ALGORITHMS},
        truth.labels,
        truth.name,
        _objects(features, labels),
        Bootstrap.from_canonical(snakemake.params.bootstrap),
    )
    write_csv(scores.assign(data_digest=space.data_digest, seed=seed), snakemake.output.agreement)
    write_csv(contingency, snakemake.output.contingency)


def _objects(features, labels):
    """Return the object_key of each labelled row, by which the bootstrap draws."""
    row_id = features.column("row_id").to_numpy()
    order = np.argsort(row_id)
    rows = order[np.searchsorted(row_id, labels.column("row_id").to_numpy(), sorter=order)]
    return np.array(features.column("object_key").take(rows).to_pylist(), dtype=str)


if "snakemake" in globals():
    run(main, snakemake)
