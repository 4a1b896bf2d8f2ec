"""A trained model in a folder of its own: all that is needed to apply it to a table.

A bundle holds the model's files (safetensors or skops), the calibration of its p(z), the recipe of
its features, what it needs of a table, and a manifest with the SHA-256 of each file. Nothing in it
is unpickled. ::

    from sdssflow import bundle
    model = bundle.load("results/bundles/mgs_ensemble")
    estimates = model.estimate(table, extinction_applied=True)
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, ValidationError

from sdssflow.acquire.schema import BANDS, columns_of
from sdssflow.configuration.declared import Declarations
from sdssflow.configuration.features import Features
from sdssflow.configuration.section import Section
from sdssflow.configuration.targets import MANIFEST, MOST_BYTES, ClassPriors, Task
from sdssflow.estimate.given_tables import BundleError, as_arrow, as_catalogue
from sdssflow.estimate.tables import as_frame, as_table
from sdssflow.files import file_digest, read_bounded
from sdssflow.models.folders import ModelFolder, open_folder
from sdssflow.prepare.columns import described
from sdssflow.prepare.extinction import CORRECTED, extinction_to_subtract
from sdssflow.prepare.feature_columns import ALL_BANDS, Feature, missing_bands
from sdssflow.prepare.features import Measured, measured_features
from sdssflow.tables import metadata

if TYPE_CHECKING:
    from sdssflow.estimate.classes import ClassModel
    from sdssflow.estimate.redshifts import RedshiftModel
    from sdssflow.redshift_pdf.mixture import Mixture

See = Callable[["Mixture", np.ndarray], None]
FORMAT = "1.1"  # another first number: bundles of the one can't be read by the other


class Manifest(Section):
    """What ``bundle.json`` says."""

    format: str = Field(pattern=r"^\d+\.\d+$")
    name: str
    task: Task
    sample: str
    split: str
    model: str
    kind: str
    seed: int
    refit: bool
    simulated: bool
    licence: str
    recipe: Features
    """How features are made."""
    magnitude_system: Literal["asinh", "pogson"]
    """Of the magnitudes it was trained on."""
    deredden: Literal["applied here", "applied in source", "unknown", "no"]
    """What was done about the extinction of those."""
    columns: list[str]
    """Columns of the catalogue that it needs, extinction apart."""
    objects: int
    """How many it was trained on, of all folds."""
    declared: Declarations
    """What those are that the schema does not know."""
    class_priors: dict[str, float] = {}
    """Fraction of each class in the training part."""
    class_reach: dict[str, float | None] = {}
    """Of bundles of format 1.0: of each fold, by how much the probability of a class of the set may
    fall short of 1, whatever the class; the most probable class is always in that set."""
    class_thresholds: dict[str, list[float]] = {}
    """Of each fold with a calibration part, the smallest probability with which each class, in the
    order of `CLASSES`, is in the class set. Since format 1.1."""
    tomographic_edges: list[float] = []
    """Edges in zphot of bins with equal numbers of training objects."""
    files: dict[str, str]
    """SHA-256 of each file."""


@dataclass(frozen=True)
class Bundle:
    """A model that is ready to be applied.

    Attributes
    ----------
    path : pathlib.Path
        Folder or ZIP file, as it was given.
    manifest : Manifest
        What it is.
    folder : ModelFolder
        The model.
    unpacked : object
        Keeps the files of a ZIP on disk as long as the bundle is in use.
    """

    path: Path
    manifest: Manifest
    folder: ModelFolder
    unpacked: Any = field(default=None, repr=False)

    def __reduce__(self) -> tuple:
        """Let another process, as one of Dask, load the bundle by itself from the same path."""
        return load, (str(self.path.absolute()),)

    def estimate(
        self,
        table: Any,
        extinction_applied: bool | None = None,
        magnitude_system: Literal["asinh", "pogson"] | None = None,
        threads: int = 1,
        class_priors: Mapping[str, float] | None = None,
    ) -> Any:
        """Estimate class or redshift of n objects.

        Parameters
        ----------
        table : pyarrow.Table or pandas.DataFrame
            Magnitudes (mag) under catalogue names, as `manifest.columns` lists them, null or NaN
            where missing (what can't be a magnitude counts as missing), and `extinction_u` to
            `extinction_z` (mag) if they are not corrected.
        extinction_applied : bool, optional
            Whether they are corrected for Galactic extinction; by default what the table's own
            metadata say.
        magnitude_system : {'asinh', 'pogson'}, optional
            Likewise; 'asinh' if nothing says otherwise.
        threads : int
            Blocks of objects at a time; no number depends on it.
        class_priors : mapping of str to float, optional
            Of a classifier, as for `columns`.

        Returns
        -------
        pyarrow.Table or pandas.DataFrame
            As was given, n rows in their order, a frame with its index and of Arrow types if it
            has any: `objid`, `ra` and `dec` if the table has them, then the columns of `columns`.

        Raises
        ------
        BundleError
            If the table lacks a column, its magnitudes are not what the model was trained on, or
            another argument is none of those above.
        """
        import pandas as pd  # imported already where a frame comes from, subclasses of LSDB too

        frame = not isinstance(table, pa.Table)
        if frame and not isinstance(table, pd.DataFrame):
            raise BundleError(f"{type(table)}: give a pyarrow.Table or a pandas.DataFrame")
        if not isinstance(extinction_applied, bool | None):  # "raw" would count as true
            raise BundleError(f"extinction_applied is {extinction_applied!r}: say True or False")
        if class_priors is not None and self.manifest.task != "classify":
            raise BundleError(f"model {self.manifest.name} gives redshifts: it takes no priors")
        if class_priors is not None:
            class_priors = _checked(class_priors)
        given = as_arrow(table) if frame else table
        known = columns_of(self.manifest.declared)
        needed = (*self.manifest.columns, *(f"extinction_{band}" for band in BANDS))
        stated = {"extinction_applied": extinction_applied, "magnitude_system": magnitude_system}
        given = as_catalogue(given, {name: known[name] for name in needed}, stated)
        made = as_table(self.columns(given, threads, class_priors=class_priors))
        for name in ("dec", "ra", "objid"):
            if name in given.column_names:
                made = made.add_column(0, name, given[name])
        return as_frame(made, table) if frame else made

    def columns(
        self,
        catalogue: pa.Table,
        threads: int = 1,
        see: See | None = None,
        class_priors: Mapping[str, float] | None = None,
    ) -> dict[str, np.ndarray]:
        """Return the estimates of the n objects of a catalogue, with what its metadata say of it.

        `see`, if given, is shown the p(z) of each block and the indices of its objects, in order.
        `class_priors`, the fraction of each class among the objects, are taken for what they are
        (`estimate.classes.with_priors`); without, they are taken to be those of the training part.

        Returns
        -------
        dict of str to (n,) array
            `missing_bands`, text, the bands without a magnitude, or without the extinction to
            correct it, among those needed. Of a
            classifier, `class_code` (uint8, index in `CLASSES`), the probability of each class
            (float64) and `class_set_code` (uint8, bits by `CLASSES`), the classes that hold the
            true one with a probability of 0.9 (`classify.decisions`). Of a regressor, what
            `RedshiftModel.columns` says. NaN, and codes of 255, where the model can't do without
            what is missing.

        Raises
        ------
        BundleError
            As `estimate`, or if priors are given and the probabilities are for no known mix.
        """
        measured = self.measured(catalogue)
        features = np.column_stack(list(measured.features.values()))
        usable = self.model.usable(features)
        magnitude = measured.reference_mag.astype(np.float32)
        places = np.flatnonzero(usable)

        def seen(pdf: Mixture, rows: slice) -> None:
            if see is not None:
                see(pdf, places[rows])

        if self.manifest.task == "classify":
            more: dict[str, Any] = {"priors": class_priors}
        else:
            more = {} if see is None else {"see": seen}
        found = self.model.columns(features[usable], magnitude[usable], threads, **more)
        every = usable.all()
        return {
            "missing_bands": missing_bands(catalogue, self.manifest.columns)
            | self._without_extinction(catalogue, measured),
            **{name: v if every else _spread(v, usable) for name, v in found.items()},
        }

    def measured(self, catalogue: pa.Table) -> Measured:
        """Return the features of a catalogue as the model was trained on them; errors as there."""
        recipe = self.recipe_for(catalogue)
        dust = [f"extinction_{band}" for band in BANDS]
        # of columns that were not there in training nothing is known, an error beside a limit say
        its = [name for name in catalogue.column_names if name in {*self.manifest.columns, *dust}]
        try:
            chosen = described(catalogue.select(its), self.manifest.declared)
        except ValueError as error:
            raise BundleError(f"model {self.manifest.name} was trained on {error}") from None
        measured = measured_features(chosen, recipe)
        if list(measured.features) != self.folder.card["features"]:
            raise BundleError(
                f"model {self.manifest.name} was trained on other features, "
                f"{', '.join(self.folder.card['features'])}; this table gives "
                f"{', '.join(measured.features)}"
            )
        return measured

    def _without_extinction(self, catalogue: pa.Table, measured: Measured) -> np.ndarray:
        """Return (n,) uint16 as `missing_bands` does: bands whose extinction is not known."""
        extinction, _ = extinction_to_subtract(catalogue, self.recipe_for(catalogue))
        made = [Feature.named(name) for name in measured.features]
        dereddened = {b for its in made if its.kind in ("magnitude", "color") for b in its.bands}
        found = np.zeros(catalogue.num_rows, np.uint16)
        for band in dereddened & {*BANDS}:
            found |= np.isnan(extinction[band]).astype(np.uint16) << ALL_BANDS.index(band)
        return found

    def recipe_for(self, catalogue: pa.Table) -> Features:
        """Return the recipe of the features for a catalogue; refuse what differs from training."""
        manifest, about = self.manifest, metadata(catalogue.schema)
        for name in manifest.columns:
            if name not in catalogue.column_names:
                raise BundleError(
                    f"model {manifest.name} needs the column {name!r}, which is not there (there "
                    f"are: {', '.join(catalogue.column_names)}); map it in source.columns, or "
                    "apply a model that was trained without it"
                )
        system = about.get("magnitude_system", "asinh")
        if system != manifest.magnitude_system:
            raise BundleError(
                f"model {manifest.name} was trained on {manifest.magnitude_system} magnitudes, "
                f"these are {system} (magnitude_system); convert them"
            )
        applied = about.get("extinction_applied", False)
        known = any(f"extinction_{band}" in catalogue.column_names for band in BANDS)
        if manifest.deredden in CORRECTED and not (applied or known):
            raise BundleError(
                f"model {manifest.name} was trained on magnitudes without Galactic extinction; "
                "these have it, and no extinction column: map extinction_r, or set "
                "extinction_applied: true if they are corrected already"
            )
        if manifest.deredden not in CORRECTED and applied:
            raise BundleError(
                f"model {manifest.name} was trained on magnitudes that are not corrected for "
                "Galactic extinction, these are (extinction_applied); give it the measured ones"
            )
        deredden = manifest.deredden in CORRECTED
        return manifest.recipe.model_copy(update={"deredden": deredden})

    @cached_property
    def model(self) -> ClassModel | RedshiftModel:
        """All folds of the model, loaded once."""
        if self.manifest.task == "classify":
            from sdssflow.estimate.classes import ClassModel

            return ClassModel(self.folder, self.manifest)
        from sdssflow.estimate.redshifts import RedshiftModel

        return RedshiftModel.open(self.folder, self.manifest.tomographic_edges)


def _checked(priors: Mapping[str, float]) -> dict[str, float]:
    try:
        return ClassPriors.model_validate(dict(priors)).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ["class_priors", *first["loc"]]))
        raise BundleError(f"{place}: {first['msg']}") from None


def _spread(values: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return values of the usable rows among all, NaN or 255 in between."""
    fill = np.nan if values.dtype.kind == "f" else 255
    spread = np.full(len(usable), fill, np.uint8 if values.dtype == bool else values.dtype)
    spread[usable] = values
    return spread


def load(path: str | Path) -> Bundle:
    """Load a bundle: a folder, or the ZIP file of one.

    Raises
    ------
    FileNotFoundError
        If there is no such bundle.
    BundleError
        If it is of another version of the format, a file is missing, was changed or does not
        belong to it, or the model is not what its card says.
    """
    path, unpacked = Path(path), None
    folder = path
    if path.is_file():
        unpacked = tempfile.TemporaryDirectory(prefix="sdssflow_bundle_")
        folder = Path(unpacked.name)
        _unpack(path, folder)
    try:
        text = read_bounded(folder / MANIFEST, MOST_BYTES)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no bundle, it has no {MANIFEST}") from None
    manifest = _manifest(path, text)
    # what begins with a dot is the workflow's mark on a folder
    there = {file.name for file in folder.iterdir() if file.name[0] != "."} - {MANIFEST}
    for name in sorted({*manifest.files, *there}):
        if name not in there:
            raise BundleError(f"{path}: {name} is missing; fetch the bundle again")
        if manifest.files.get(name) != file_digest(folder / name):
            raise BundleError(
                f"{path}: {name} is not the file that the bundle was made with; fetch it again"
            )
    try:
        opened = open_folder(folder)
    except ValueError as error:
        raise BundleError(f"{path}: {error}") from None
    return Bundle(path, manifest, opened, unpacked)


def _manifest(path: Path, text: bytes) -> Manifest:
    found = re.search(rb'"format": "(\d+)\.(\d+)"', text)
    ours = FORMAT.partition(".")[0]
    if found and found[1].decode() != ours:
        raise BundleError(
            f"{path}: a bundle of format {found[1].decode()}.{found[2].decode()}; this version "
            f"of sdssflow reads {ours}.x. Use the version that made it, or make it again"
        )
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BundleError(f"{path}/{MANIFEST}: {place}: {first['msg']}") from None


def _unpack(path: Path, folder: Path) -> None:
    """Unpack a ZIP of plain, stored files: so it can't be larger than it is."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.compress_type or "/" in member.filename or "\\" in member.filename:
                    raise BundleError(f"{path}: {member.filename!r} does not belong in a bundle")
                (folder / member.filename).write_bytes(archive.read(member))
    except zipfile.BadZipFile as error:
        raise BundleError(f"{path}: no bundle, or a damaged one ({error})") from None
