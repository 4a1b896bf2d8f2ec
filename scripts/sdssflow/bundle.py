"""A bundle: a folder with a trained model and all that is needed to apply it to a table.

A bundle contains the model's files (safetensors or skops), the calibration of its p(z), the recipe
of its features, the columns that it needs, and a manifest with the SHA-256 of each file. Nothing in
it is unpickled. ::

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
FORMAT = "1.1"  # major versions are incompatible


class Manifest(Section):
    """The content of ``bundle.json``."""

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
    """Recipe of the features."""
    magnitude_system: Literal["asinh", "pogson"]
    """System of the training magnitudes."""
    deredden: Literal["applied here", "applied in source", "unknown", "no"]
    """How they were corrected for Galactic extinction."""
    columns: list[str]
    """Required catalogue columns, without extinction."""
    objects: int
    """Number of training objects in all folds."""
    declared: Declarations
    """Descriptions of columns that are not in the schema."""
    class_priors: dict[str, float] = {}
    """Fraction of each class in the training sample."""
    class_reach: dict[str, float | None] = {}
    """In format 1.0: per fold, the largest 1 - probability of a class in the class set, equal for
    all classes; the most probable class is always in the set."""
    class_thresholds: dict[str, list[float]] = {}
    """Since format 1.1: per fold with a calibration sample, the smallest probability of each class,
    in the order of `CLASSES`, with which it is in the class set."""
    tomographic_edges: list[float] = []
    """Edges of bins in zphot with equal numbers of training objects."""
    files: dict[str, str]
    """SHA-256 of each file."""


@dataclass(frozen=True)
class Bundle:
    """A loaded model.

    Attributes
    ----------
    path : pathlib.Path
        Folder or ZIP file, as given.
    manifest : Manifest
        Its description.
    folder : ModelFolder
        The model.
    unpacked : object
        Keeps the unpacked files of a ZIP while the bundle is in use.
    """

    path: Path
    manifest: Manifest
    folder: ModelFolder
    unpacked: Any = field(default=None, repr=False)

    def __reduce__(self) -> tuple:
        """Pickle as the path, from which another process (such as Dask's) loads the bundle."""
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
            Magnitudes (mag) under catalogue names, as in `manifest.columns`, null or NaN where
            missing (impossible magnitudes count as missing), and `extinction_u` to `extinction_z`
            (mag) if they are not corrected.
        extinction_applied : bool, optional
            Whether they are corrected for Galactic extinction; by default as in the table's
            metadata.
        magnitude_system : {'asinh', 'pogson'}, optional
            By default as in the table's metadata, else 'asinh'.
        threads : int
            Number of blocks of objects processed in parallel; no effect on the estimates.
        class_priors : mapping of str to float, optional
            For classifiers, as in `columns`.

        Returns
        -------
        pyarrow.Table or pandas.DataFrame
            Of the type of `table`, with n rows in their order. Columns are `objid`, `ra` and `dec`
            if the table has them, then those of `columns`. A frame keeps its index and the types of
            the former; the latter have Arrow types if `table` has any.

        Raises
        ------
        BundleError
            If the table lacks a column, its magnitudes differ in kind from the training magnitudes,
            or an argument is invalid.
        """
        import pandas as pd  # lazily: callers with frames have imported it

        frame = not isinstance(table, pa.Table)
        if frame and not isinstance(table, pd.DataFrame):
            raise BundleError(f"{type(table)}: give a pyarrow.Table or a pandas.DataFrame")
        if not isinstance(extinction_applied, bool | None):  # "raw" would be truthy
            raise BundleError(f"extinction_applied is {extinction_applied!r}, not True or False")
        if class_priors is not None and self.manifest.task != "classify":
            raise BundleError(f"model {self.manifest.name} gives redshifts: it accepts no priors")
        if class_priors is not None:
            class_priors = _checked(class_priors)
        given = as_arrow(table) if frame else table
        known = columns_of(self.manifest.declared)
        needed = (*self.manifest.columns, *(f"extinction_{band}" for band in BANDS))
        stated = {"extinction_applied": extinction_applied, "magnitude_system": magnitude_system}
        given = as_catalogue(given, {name: known[name] for name in needed}, stated)
        made = as_table(self.columns(given, threads, class_priors=class_priors))
        if frame:
            made = as_frame(made, table)
        for name in ("dec", "ra", "objid"):
            if name in given.column_names and frame:  # via Arrow, ids beside nulls lose digits
                made.insert(0, name, table[name])
            elif name in given.column_names:
                made = made.add_column(0, name, given[name])
        return made

    def columns(
        self,
        catalogue: pa.Table,
        threads: int = 1,
        see: See | None = None,
        class_priors: Mapping[str, float] | None = None,
    ) -> dict[str, np.ndarray]:
        """Return the estimates for the n objects of a catalogue with its metadata.

        `see`, if given, is called with the p(z) of each block and the indices of its objects, in
        order. `class_priors` are the fractions of the classes among the objects
        (`estimate.classes.with_priors`); by default those of the training sample.

        Returns
        -------
        dict of str to (n,) array
            `missing_bands` (uint16, bits by `ALL_BANDS`), the required bands without magnitude or
            without the extinction to correct it. For a classifier, `class_code` (uint8, index in
            `CLASSES`), the probability of each class (float64) and `class_set_code` (uint8, bits by
            `CLASSES`), a set of classes that contains the true one with a probability of 0.9
            (`classify.decisions`). For a regressor, the columns of `RedshiftModel.columns`. NaN,
            and codes of 255, where the model can't handle the missing values.

        Raises
        ------
        BundleError
            As from `estimate`, or if priors are given for a model with unknown priors.
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
        """Return the features of a catalogue, as in training; errors as from `columns`."""
        recipe = self.recipe_for(catalogue)
        dust = [f"extinction_{band}" for band in BANDS]
        # drop columns that training did not have, for example an error next to a limit
        its = [name for name in catalogue.column_names if name in {*self.manifest.columns, *dust}]
        try:
            chosen = described(catalogue.select(its), self.manifest.declared)
        except ValueError as error:
            raise BundleError(f"model {self.manifest.name} was trained on {error}") from None
        measured = measured_features(chosen, recipe)
        if list(measured.features) != self.folder.card["features"]:
            raise BundleError(
                f"model {self.manifest.name} was trained on different features, "
                f"{', '.join(self.folder.card['features'])}; this table gives "
                f"{', '.join(measured.features)}"
            )
        return measured

    def _without_extinction(self, catalogue: pa.Table, measured: Measured) -> np.ndarray:
        """Return the bands with unknown extinction, (n,) uint16, as in `missing_bands`."""
        extinction, _ = extinction_to_subtract(catalogue, self.recipe_for(catalogue))
        made = [Feature.named(name) for name in measured.features]
        dereddened = {b for its in made if its.kind in ("magnitude", "color") for b in its.bands}
        found = np.zeros(catalogue.num_rows, np.uint16)
        for band in dereddened & {*BANDS}:
            found |= np.isnan(extinction[band]).astype(np.uint16) << ALL_BANDS.index(band)
        return found

    def recipe_for(self, catalogue: pa.Table) -> Features:
        """Return the recipe of the features for a catalogue; refuse differences from training."""
        manifest, about = self.manifest, metadata(catalogue.schema)
        for name in manifest.columns:
            if name not in catalogue.column_names:
                raise BundleError(
                    f"model {manifest.name} needs the column {name!r}, which is missing (there are "
                    f"{', '.join(catalogue.column_names)}); map it in source.columns, or apply a "
                    "model that was trained without it"
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
                f"model {manifest.name} was trained on magnitudes corrected for Galactic "
                "extinction; these are not, and there is no extinction column: map extinction_r, "
                "set extinction_applied: true if they are corrected already, or, in a target with "
                "positions, source.extinction_from"
            )
        if manifest.deredden not in CORRECTED and applied:
            raise BundleError(
                f"model {manifest.name} was trained on magnitudes that are not corrected for "
                "Galactic extinction, these are (extinction_applied); provide the measured ones"
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
    """Return values for all rows, with NaN or 255 where they are not usable."""
    fill = np.nan if values.dtype.kind == "f" else 255
    spread = np.full(len(usable), fill, np.uint8 if values.dtype == bool else values.dtype)
    spread[usable] = values
    return spread


def load(path: str | Path) -> Bundle:
    """Load a bundle: a folder, or the ZIP file of one.

    Raises
    ------
    FileNotFoundError
        If the bundle does not exist.
    BundleError
        If its format version is incompatible, a file is missing, was changed or does not belong to
        it, or the model differs from its card.
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
        raise FileNotFoundError(f"{path}: not a bundle, it has no {MANIFEST}") from None
    manifest = _manifest(path, text)
    # names with a dot are marker files of the workflow
    present = {file.name for file in folder.iterdir() if file.name[0] != "."} - {MANIFEST}
    for name in sorted({*manifest.files, *present}):
        if name not in present:
            raise BundleError(f"{path}: {name} is missing; fetch the bundle again")
        if manifest.files.get(name) != file_digest(folder / name):
            raise BundleError(
                f"{path}: {name} differs from the file in the manifest; fetch it again"
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
            f"of sdssflow reads {ours}.x. Use the version that built it, or build it again"
        )
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BundleError(f"{path}/{MANIFEST}: {place}: {first['msg']}") from None


def _unpack(path: Path, folder: Path) -> None:
    """Unpack a ZIP of uncompressed files, which can't expand."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.compress_type or "/" in member.filename or "\\" in member.filename:
                    raise BundleError(f"{path}: {member.filename!r} does not belong in a bundle")
                (folder / member.filename).write_bytes(archive.read(member))
    except zipfile.BadZipFile as error:
        raise BundleError(f"{path}: not a bundle, or damaged ({error})") from None
