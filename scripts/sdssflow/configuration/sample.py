"""A sample: where its objects come from, which are kept, what is asked of them."""

from __future__ import annotations

import difflib
from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from sdssflow.configuration.clustering import Clustering, Outliers
from sdssflow.configuration.cuts import Cut
from sdssflow.configuration.declared import SHIPPED
from sdssflow.configuration.features import Features
from sdssflow.configuration.file_sources import EmbeddedSource, FileContent
from sdssflow.configuration.section import Described, Different, Name, SomeDifferent
from sdssflow.configuration.selection import PHOTOZ
from sdssflow.configuration.sources import Source
from sdssflow.configuration.splits import Split

# title and caption of each figure that `explore.figures` may name; what draws it stands in
# explore/catalogue_figures.py
EXPLORED: dict[str, tuple[str, str]] = {
    "sky_map": (
        "Where the objects are",
        "Positions on the sky in equatorial coordinates (ICRS), right ascension growing to the "
        "left.",
    ),
    "magnitudes": ("Magnitudes", "Distribution of magnitude in the five bands."),
    "redshifts": ("Redshifts", "Distribution of the spectroscopic redshift."),
    "color_color": (
        "Colours against colours",
        "Adjacent colours against each other. Stars lie on a narrow locus; galaxies spread with "
        "type and redshift; quasars are blue in u − g.",
    ),
    "color_redshift": (
        "Colours against redshift",
        "Each adjacent colour against the spectroscopic redshift, with its running median: the "
        "relation that a photometric redshift inverts.",
    ),
}
ExploredFigure: TypeAlias = Literal[tuple(EXPLORED)]  # type: ignore[valid-type]  # their names


class Exploration(Clustering):
    """Figures of the catalogue and settings of the search for groups."""

    figures: Different[ExploredFigure] = ["magnitudes", "color_color"]
    """Figures of the catalogue. `sky_map` needs positions, `redshifts` and `color_redshift` need
    redshifts."""

    outliers: Outliers = Outliers()
    """Settings of the search for unusual objects."""

    def clustering(self) -> Clustering:
        """Return what finds and projects groups: figures and strange objects don't matter to it."""
        return Clustering.model_validate(self.model_dump(exclude={"figures", "outliers"}))


class Sample(Described):
    """One sample, as a file of `config/samples/` defines it."""

    source: Source
    """Where the rows come from."""
    tasks: SomeDifferent[Literal["classify", "regress"]]
    """What is learnt: `classify` needs classes, `regress` needs redshifts."""
    cuts: Different[Cut] = []
    """Quality cuts, applied in this order, each counted in the flow table."""
    features: Features = Features()
    """What the models see."""
    splits: dict[Name, Split] = Field(min_length=1)
    """How objects are divided into train, validation, calibration and test; each split by its
    name."""
    explore: Exploration = Exploration()
    """Figures, groups and projections."""
    classifiers: Different[Name] | None = None
    """Names of the classifiers to train; by default all of `classifiers` in the run's
    configuration."""
    regressors: Different[Name] | None = None
    """Names of the regressors to train; by default all of `regressors` in the run's configuration,
    those that learn from classes only if `classify` is among the tasks."""

    @property
    def has_photoz(self) -> bool:
        """Whether redshifts are learnt and those of SDSS's own table Photoz are beside them."""
        asked = "regress" in self.tasks
        return asked and {*PHOTOZ} <= {*getattr(self.source, "columns", ())}

    @model_validator(mode="after")
    def _source_has_something_to_learn_from(self) -> Sample:
        if getattr(self.source, "rows", "spectra") == "photometry":
            raise ValueError(
                "source.rows: 'photometry' has no classes and no redshifts to learn from: it is "
                "for objects to which trained models are applied"
            )
        return self

    @model_validator(mode="after")
    def _source_has_the_extra_columns(self) -> Sample:
        mapped = [name for name in getattr(self.source, "columns", ()) if name in SHIPPED]
        there = [*mapped, *self.source.declared]
        for name in self.features.extra:
            if name not in there:
                near = difflib.get_close_matches(name, there, n=1, cutoff=0.6)
                raise ValueError(
                    f"features.extra: the source has no column {name!r}"
                    + (f" (did you mean {near[0]!r}?)" if near else "")
                    + "; name it in source.columns, or describe it in source.declared "
                    "(docs/features.md)"
                )
        return self

    @model_validator(mode="after")
    def _published_split_needs_a_source_that_has_one(self) -> Sample:
        published = [name for name, split in self.splits.items() if split.kind == "published"]
        has_parts = (isinstance(self.source, EmbeddedSource) and self.source.table == "mgs") or (
            isinstance(self.source, FileContent) and "published_part" in self.source.columns
        )
        if published and not has_parts:
            raise ValueError(
                f"splits.{published[0]}: it is of kind 'published', but the source has no column "
                "'published_part'; map one in source.columns or choose kind 'holdout'"
            )
        return self
