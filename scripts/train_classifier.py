"""Train one classifier on one split, for one seed.

Reads the development rows of a split (never the test rows) and fits one model per fold on the
`train` part. The `validation` part tells gradient boosting when to stop, the `calibration` part
makes the probabilities honest. The members of a vote are trained here as well, so that a vote
depends on the split alone and not on other rules.

Writes a folder with `fold_K.skops` for each fold K and `card.json`: kind, settings, features,
classes, seed, the number of objects and the content digest of each part, and how each fold was
calibrated. skops files hold no code: loading one can't run a program, unlike pickle.
"""

import json
from pathlib import Path

from pyarrow.parquet import read_schema

from sdssflow.classify.training import read_settings, train_classifier
from sdssflow.logs import progress, run
from sdssflow.models import save_estimator, write_card
from sdssflow.prepare.parts import feature_names, folds, read_part
from sdssflow.tables import metadata

PARTS = ("train", "validation", "calibration")


def main(snakemake):
    path, params = snakemake.input.development, snakemake.params
    settings = read_settings(params.settings)
    members = {
        name: read_settings(json.dumps(member))
        for name, member in json.loads(params.members).items()
    }
    folder = Path(snakemake.output.folder)
    numbers, provenance = folds(path), metadata(read_schema(path))
    trained = {}
    for fold in progress(numbers, len(numbers), f"training {params.model}"):
        parts = {name: read_part(path, fold, name) for name in PARTS}
        classifier = train_classifier(settings, parts, params.seed, members, snakemake.threads)
        save_estimator(classifier.estimator, folder / f"fold_{fold}.skops")
        trained[str(fold)] = {
            "classes": classifier.estimator.classes_.tolist(),
            "calibration": classifier.calibration,
            "objects": {name: len(part) for name, part in parts.items()},
            "digests": {name: part.digest for name, part in parts.items()},
        }
    write_card(
        folder,
        {
            "model": params.model,
            "sample": provenance["sample"],
            "split": provenance["split"],
            "kind": settings.kind,
            "settings": settings.model_dump(mode="json"),
            "members": {name: member.model_dump(mode="json") for name, member in members.items()},
            "features": list(feature_names(path)),
            "seed": params.seed,
            "folds": numbers,
            "training": trained,
            "device": "cpu",
            "dtype": "float64",
        },
    )


if "snakemake" in globals():
    run(main, snakemake)
