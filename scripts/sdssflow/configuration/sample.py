"""A sample: where its objects come from, which are kept, what is asked of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from sdssflow.configuration.cuts import Cut
from sdssflow.configuration.section import Section
from sdssflow.configuration.sources import EmbeddedSource, FileSource, Source
from sdssflow.configuration.splits import Split
from sdssflow.configuration.values import Different, Name, SomeDifferent, Text

Band = Literal["u", "g", "r", "i", "z"]
Magnitudes = Literal["model", "psf", "petro", "cmodel"]
Fraction = Annotated[float, Field(ge=0, lt=1)]


LEAKS = {
    "redshift": "the redshift is what is to be learnt, and it gives the class away",
    "zspec": "the redshift is what is to be learnt, and it gives the class away",
    "class": "the class is what is to be learnt",
    "plate": "targets share plates: a plate tells the class without looking at the sky",
    "mjd": "the date of the spectrum goes with the plate",
    "fiberid": "fibres are plugged by target class",
    "objid": "an id encodes run, column and field",
    "specobjid": "an id encodes plate, date and fibre",
    "run": "runs share depth and target selection",
    "rerun": "a label of the reduction, not of the object",
    "camcol": "a place in the camera, not a property of the object",
    "field": "fields share depth and target selection",
    "ra": "positions tell survey stripes, not objects",
    "dec": "positions tell survey stripes, not objects",
    "warning": "set by the spectroscopic pipeline when it fits class and redshift",
}
"""What would leak the truth into the features, and why."""

FeatureGroup = Literal[
    "magnitudes",
    "colors",
    "reference_magnitude",
    "magnitude_errors",
    "color_errors",
    "luptitudes",
    "psf_minus_model",
    "psf_minus_petro",
    "psf_minus_cmodel",
    "resolved",
    "petro_radius",
]


class Features(Section):
    """From magnitudes to the numbers the models see."""

    magnitudes: Magnitudes = "model"
    """Which of the SDSS magnitudes colours and magnitudes are made of."""
    groups: SomeDifferent[FeatureGroup] = [
        "colors",
        "reference_magnitude",
    ]
    """Groups of features, in this order. Redshifts, ids, plates, fibres and positions are not
    among them and can't be."""
    reference_band: Band = "r"
    """Band of the reference magnitude; also the magnitude that scores are binned by."""
    deredden: bool = True
    """Subtract Galactic extinction where the catalogue knows it and has not yet applied it."""

    @field_validator("groups", mode="before")
    @classmethod
    def _no_leaks(cls, groups: object) -> object:
        aliases = {
            "z_warning": "warning",
            "zwarning": "warning",
            "spec_class": "class",
            "z": "zspec",
        }
        for group in groups if isinstance(groups, list) else []:
            name = aliases.get(str(group).lower(), str(group).lower())
            if name in LEAKS:
                raise ValueError(f"{group!r} can't be a feature: {LEAKS[name]}")
        return groups


ExploredFigure = Literal["sky_map", "magnitudes", "redshifts", "color_color", "color_redshift"]


class Exploration(Section):
    """What "look at your data" draws and which groups are looked for."""

    figures: Different[ExploredFigure] = ["magnitudes", "color_color"]
    """Figures of the catalogue. `sky_map` needs positions, `redshifts` and `color_redshift` need
    redshifts."""
    clusters: SomeDifferent[Annotated[int, Field(ge=2)]] = [
        2,
        3,
        4,
        5,
        6,
        7,
        8,
    ]
    """Numbers of groups that k-means and the Gaussian mixture choose from."""
    min_cluster_size: Annotated[int, Field(ge=2)] = 20
    """Smallest group that HDBSCAN may find."""
    max_objects: Annotated[int, Field(ge=100)] = 5000
    """Clustering and embeddings use at most this many objects, chosen by a seeded draw."""
    embeddings: SomeDifferent[Literal["pca", "umap"]] = [
        "pca",
        "umap",
    ]
    """Projections of the feature space on two dimensions."""


class Sample(Section):
    """One sample, as a file of `config/samples/` defines it."""

    title: Text
    """One line for the report."""
    description: str = ""
    """What the objects are and how they were selected, for the report."""
    reference: str = ""
    """Where the rows come from, as you would cite it."""
    source: Source
    """Where the rows come from."""
    tasks: SomeDifferent[Literal["classify", "regress"]]
    """What is learnt: `classify` needs classes, `regress` needs redshifts."""
    cuts: Different[Cut] = []
    """Quality cuts, applied in this order, each counted in the flow table."""
    features: Features = Features()
    """What the models see."""
    splits: dict[Name, Split] = Field(min_length=1)
    """How objects are parted into train, validation, calibration and test; each split by its
    name."""
    explore: Exploration = Exploration()
    """Figures, groups and projections."""
    classifiers: Different[Name] | None = None
    """Names of the classifiers to train; by default all of `classifiers` in the run's
    configuration."""
    regressors: Different[Name] | None = None
    """Names of the regressors to train; by default all of `regressors` in the run's
    configuration."""

    @property
    def simulated(self) -> bool:
        """Whether its objects are no observed ones."""
        return getattr(self.source, "simulated", None) is not None

    @property
    def shown_title(self) -> str:
        """The title; it says of a simulated sample that it is one, whoever wrote it."""
        told = "simulated" in self.title.lower() or not self.simulated
        return self.title if told else f"{self.title} (simulated)"

    @model_validator(mode="after")
    def _published_split_needs_a_source_that_has_one(self) -> Sample:
        published = [name for name, split in self.splits.items() if split.kind == "published"]
        has_parts = (isinstance(self.source, EmbeddedSource) and self.source.table == "mgs") or (
            isinstance(self.source, FileSource) and "published_part" in self.source.columns
        )
        if published and not has_parts:
            raise ValueError(
                f"splits.{published[0]}: it is of kind 'published', but the source has no column "
                "'published_part'; map one in source.columns or choose kind 'holdout'"
            )
        return self
