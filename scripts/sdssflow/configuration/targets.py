"""Targets: objects without spectra, and the trained models applied to them."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zipfile import BadZipFile, ZipFile

from pydantic import Field, model_validator

from sdssflow.configuration.cuts import (
    ColorRange,
    CompleteColumns,
    CompletePhotometry,
    MagnitudeError,
    MagnitudeRange,
)
from sdssflow.configuration.file_sources import FileContent, FileSource, UrlSource
from sdssflow.configuration.reading import ConfigurationError
from sdssflow.configuration.section import (
    Described,
    Different,
    Edges,
    FilePath,
    ModelName,
    Name,
    PositiveInt,
    Renamed,
    SampleName,
    Section,
    Seed,
    SomeDifferent,
    Text,
)
from sdssflow.configuration.sources import BulkSource, SkyServerSource, TapSource, check_needed
from sdssflow.files import read_bounded

MANIFEST = "bundle.json"  # in each bundle
MOST_BYTES = 10_000_000  # of the manifest
# RuntimeError: a ZIP file with a password or an unknown compression
UNREADABLE = (OSError, LookupError, TypeError, ValueError, RuntimeError, BadZipFile, zlib.error)
Task = Literal["classify", "regress"]
PdfForm = Literal["none", "quantiles_5", "mixture", "quantiles_99"]


class TrainedModel(Section):
    """A model that the run trains."""

    sample: SampleName
    """Sample it is trained on, one of the run's."""
    split: Name
    """Split of the sample whose training part is used."""
    model: ModelName
    """Name of the classifier or regressor."""
    task: Task | None = None
    """Its task; needed if the sample has a classifier and a regressor of that name."""
    seed: Seed | None = None
    """Which of the run's seeds; by default the first."""


class BundledModel(TrainedModel):
    """A trained model with everything needed to apply it elsewhere, in one folder."""

    refit: bool = False
    """Whether the model is trained once more on all objects of the sample, including the test part.
    Its scores are then those of the evaluated model, as the card says."""
    licence: Text = "BSD-3-Clause"
    """Licence under which others may use it, printed on its card."""


class AppliedModel(Section):
    """A model that is applied to a target: one of the run, or a bundle on disk."""

    sample: SampleName | None = None
    """Sample that the run trains it on."""
    split: Name | None = None
    """Split of that sample."""
    model: ModelName | None = None
    """Name of the classifier or regressor."""
    task: Task | None = None
    """Its task; needed if the sample has a classifier and a regressor of that name."""
    seed: Seed | None = None
    """Which of the run's seeds; by default the first."""
    bundle: FilePath | None = None
    """Instead of these: the folder of a bundle, or its ZIP file."""

    @model_validator(mode="after")
    def _one_of_both(self) -> AppliedModel:
        of_run = (self.sample, self.split, self.model)
        if self.bundle is not None and self.model_dump(exclude_none=True).keys() != {"bundle"}:
            raise ValueError("bundle excludes the other keys: remove them")
        if self.bundle is None and not all(of_run):
            raise ValueError("write {sample, split, model} of the run, or {bundle: FOLDER}")
        return self


Prior = Annotated[float, Field(gt=0, lt=1)]


class ClassPriors(Section):
    """Fractions of the classes, which sum to 1."""

    GALAXY: Prior
    """Fraction of galaxies."""
    QSO: Prior
    """Fraction of quasars."""
    STAR: Prior
    """Fraction of stars."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> ClassPriors:
        total = self.GALAXY + self.QSO + self.STAR
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the fractions sum to {total:.6g}; they must sum to 1")
        return self


TargetCut = Annotated[
    CompletePhotometry | CompleteColumns | MagnitudeRange | MagnitudeError | ColorRange,
    Field(discriminator="cut"),
]
TargetSource = Annotated[
    FileSource | UrlSource | SkyServerSource | BulkSource | TapSource, Field(discriminator="kind")
]


class Target(Described):
    """Objects without known class and redshift, as a file of `config/targets/` defines them."""

    source: TargetSource
    """Where the rows come from; no truth is needed. `path` of a file may be a folder of files, each
    a separate partition, or a HATS catalogue."""
    cuts: Different[TargetCut] = []
    """Quality cuts; each is counted. Removed objects are in no output."""
    models: SomeDifferent[AppliedModel] = Field(max_length=2)
    """A classifier, a regressor that gives p(z), or one of each. Features are built by the recipe
    of the model."""
    class_priors: ClassPriors | None = None
    """Fraction of the objects in each class, after cuts, if known from elsewhere. Probabilities are
    then for this mix, by Bayes' rule; by default for the mix of the training part. The report gives
    an estimate of the mix in any case."""
    partitions: PositiveInt = 1
    """Number of partitions, each a separate job, into which every file or the downloaded catalogue
    is divided."""
    pdf: PdfForm = "none"
    """How p(z) is stored: only its summaries; 5 quantiles; the parameters of its mixture of
    Gaussians; or 99 quantiles in a `qp` file for each partition."""
    tomographic_edges: Edges | None = None
    """Edges in zphot of the tomographic bins; by default those of the model's training part, with
    equal numbers of objects."""
    nz_weights: bool = False
    """Whether the probability of each tomographic bin is stored, as a list of numbers: the weight
    of the object in the n(z) of each bin, for bins without sharp edges in zphot."""
    hats: bool = False
    """Whether the estimates are also written as a HATS catalogue, once all partitions are
    estimated; the source needs ra and dec."""
    figure_rows: Annotated[int, Field(ge=1000), Renamed("explorer_rows", until="0.2")] = 10_000
    """About how many objects, drawn at random, the figures of the report show; from a folder at
    most 1000 of each file. Sky maps count all."""

    @model_validator(mode="after")
    def _source_has_the_columns(self) -> Target:
        check_needed(self.source, self.cuts, {})
        return self

    @model_validator(mode="after")
    def _hats_needs_positions(self) -> Target:
        if self.hats and isinstance(self.source, FileContent):
            missing = [name for name in ("ra", "dec") if name not in self.source.columns]
            if missing:
                raise ValueError(
                    f"hats: a HATS catalogue is sorted by position; map {' and '.join(missing)} in "
                    "source.columns, or set hats: false"
                )
        return self

    def question(self) -> str:
        """Return as canonical JSON everything but the models that determines the estimates."""
        same = {
            "title": "-",
            "description": "",
            "reference": "",
            "hats": False,
            "figure_rows": 1000,
            "models": [AppliedModel(bundle="-")],
        }
        content = self.model_copy(update=same).model_dump(mode="json")
        content["source"] = json.loads(self.source.question())
        return json.dumps(content, sort_keys=True)


def read_manifest(path: str | Path) -> dict[str, Any]:
    """Read the manifest of a bundle, a folder or a ZIP file, unvalidated.

    ConfigurationError if it is not a bundle.
    """
    try:
        if Path(path).is_dir():
            text = read_bounded(Path(path, MANIFEST), MOST_BYTES)
        else:
            with ZipFile(path) as archive, archive.open(MANIFEST) as stream:
                text = stream.read(MOST_BYTES)
        content = json.loads(text)
        if content["task"] in get_args(Task):
            return content
        problem = f"its task is {content['task']!r}"
    except UNREADABLE as error:
        problem = f"{MANIFEST} can't be read: {error}"
    raise ConfigurationError(
        f"{path}: not the bundle of a model ({problem}); give one, or make it again"
    )
