"""Write a trained model, with everything needed to apply it, to a folder and a ZIP file."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdssflow.acquire.schema import CLASSES, COLUMNS, declaration
from sdssflow.bundle import FORMAT, Manifest
from sdssflow.classify.decisions import class_set_thresholds
from sdssflow.classify.held_out import read_held_out
from sdssflow.configuration.features import Features
from sdssflow.configuration.targets import MANIFEST, BundledModel
from sdssflow.estimate.redshifts import CALIBRATION, REFERENCE
from sdssflow.files import file_digest, replacing, write_text
from sdssflow.models.folders import ModelFolder, open_folder
from sdssflow.prepare.features import needed_columns
from sdssflow.prepare.parts import read_part
from sdssflow.tables import metadata, read_schema


class Origins(NamedTuple):
    """Input files of a bundle; those of p(z) are '' for a classifier."""

    model: str
    development: str
    features: str
    catalogue: str
    calibration: str = ""
    reference: str = ""


def write_bundle(
    folder: str | Path,
    name: str,
    settings: BundledModel,
    recipe: Features,
    origins: Origins,
    tomographic_bins: int,
) -> Manifest:
    """Write a bundle; equal inputs give equal bytes.

    Parameters
    ----------
    folder : path-like
        Folder to write.
    name : str
        Name of the bundle.
    settings : BundledModel
        Configuration of the bundle.
    recipe : Features
        Configuration of the sample's features.
    origins : Origins
        Input files.
    tomographic_bins : int
        Number of bins of zphot, with equal numbers of training objects.
    """
    folder, opened = Path(folder), open_folder(origins.model)
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(Path(origins.model).iterdir()):
        if file.name == "card.json" or file.name.startswith("fold_"):
            shutil.copyfile(file, folder / file.name)
    if origins.calibration:
        shutil.copyfile(origins.calibration, folder / CALIBRATION)
        shutil.copyfile(origins.reference, folder / REFERENCE)
    schema = read_schema(origins.catalogue)
    catalogue, features = metadata(schema), metadata(read_schema(origins.features))
    columns = needed_columns(recipe, schema)
    about = {
        "format": FORMAT,
        "name": name,
        **settings.model_dump(exclude={"licence"}),
        "licence": settings.licence,
        "kind": opened.settings.kind,
        "simulated": bool(catalogue.get("simulated", False)),
        "recipe": recipe.model_dump(mode="json"),
        "magnitude_system": catalogue["magnitude_system"],
        "deredden": features["deredden"],
        "columns": columns,
        "declared": {
            name: declaration(schema.field(name)) for name in columns if name not in COLUMNS
        },
        **_training_part(opened, origins, tomographic_bins),
    }
    write_text(folder / "README.md", _card(about))
    files = {
        file.name: file_digest(file)
        for file in sorted(folder.iterdir())
        if file.name[0] != "." and file.name != MANIFEST
    }
    manifest = Manifest.model_validate({**about, "files": files})
    write_text(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    return manifest


def _training_part(opened: ModelFolder, origins: Origins, bins: int) -> dict:
    """Return the entries of the manifest about the training parts of all folds."""
    trained = [read_part(origins.development, fold, "train") for fold in opened.card["folds"]]
    about: dict = {"objects": sum(map(len, trained))}
    if opened.settings.task == "regress":
        zspec = np.concatenate([part.zspec for part in trained])
        edges = np.quantile(zspec, np.linspace(0, 1, bins + 1))
        edges[0] = min(0.0, edges[0])
        return about | {"tomographic_edges": np.unique(edges).tolist()}
    classes = np.concatenate([part.spec_class for part in trained])
    about["class_priors"] = {name: float(np.mean(classes == name)) for name in CLASSES}
    held_out = {fold: read_held_out(opened.path, fold) for fold in opened.card["folds"]}
    about["class_thresholds"] = {
        str(fold): class_set_thresholds(probability, truth).tolist()
        for fold, (probability, truth) in held_out.items()
        if len(truth)
    }
    return about


def _card(about: dict) -> str:
    """Return the text of README.md."""
    refit = (
        "\nIt was trained on all objects of the sample, including the test part. Scores in reports "
        "are those of the evaluated model, which was not trained on that part.\n"
        if about["refit"]
        else ""
    )
    simulated = "\n**Trained on a simulated sky: not a model for observed objects.**\n"
    return (
        f"# {about['name']}\n\n"
        f"{about['kind']} for {'classes' if about['task'] == 'classify' else 'redshifts'}, trained "
        f"on {about['objects']:,} objects of sample `{about['sample']}`, split `{about['split']}`, "
        f"seed {about['seed']}.\n{simulated if about['simulated'] else ''}{refit}\n"
        f"Needs: {', '.join(about['columns'])}; {about['magnitude_system']} magnitudes; extinction "
        f"{about['deredden']}.\nLicence: {about['licence']}.\n\n"
        "    from sdssflow import bundle\n"
        '    bundle.load("FOLDER").estimate(table, extinction_applied=True)\n'
    )


def zip_bundle(folder: str | Path, path: str | Path) -> None:
    """Write the files of a bundle as one ZIP, stored and without dates."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for file in sorted(Path(folder).iterdir()):
            if not file.name.startswith("."):  # Snakemake's marker of a finished folder
                archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())
