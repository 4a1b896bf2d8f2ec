"""Train one classifier on one split, for one seed.

Reads the development rows of a split (never the test rows) and fits one model per fold to the
`train` part. Gradient boosting stops on the `validation` part, and probabilities are calibrated on
the `calibration` part. A vote averages trained classifiers of the same split.

Writes a folder with `fold_K.skops` for each fold K, `card.json` (kind, settings, features, classes,
seed, the number of objects and the content digest of each part, and for each fold the method of
calibration and the scores of those that were tried) and `calibration.parquet` (out-of-fold
probabilities of the calibration part of each fold). Unlike pickle, skops files contain no code:
loading one can't run a program.
"""

from pathlib import Path

from sdssflow.classify.held_out import write_held_out
from sdssflow.classify.training import train_classifier
from sdssflow.logs import progress, run
from sdssflow.models.estimators import save_estimator
from sdssflow.models.folders import learnt_from, model_path, open_folder, read_settings, write_card
from sdssflow.prepare.parts import folds, read_part

PARTS = ("train", "validation", "calibration")


def main(snakemake):
    path, params = snakemake.input.development, snakemake.params
    settings = read_settings("classify", params.settings)
    voters = dict(zip(settings.voters, map(open_folder, snakemake.input.voters), strict=True))
    folder, numbers, training, held_out = Path(snakemake.output.folder), folds(path), {}, {}
    for fold in progress(numbers, len(numbers), f"training {params.model}"):
        parts = {name: read_part(path, fold, name) for name in PARTS}
        trained = {name: voter.load_model(fold) for name, voter in voters.items()}
        classifier = train_classifier(settings, parts, params.seed, trained, snakemake.threads)
        save_estimator(classifier.estimator, model_path(folder, settings, fold))
        held_out[fold] = classifier.held_out
        training[fold] = {**classifier.about, **learnt_from(parts)}
    write_held_out(folder, held_out)
    members = {name: voter.card["settings"] for name, voter in voters.items()}
    write_card(folder, path, params.model, settings, params.seed, training, members=members)


if "snakemake" in globals():
    run(main, snakemake)
