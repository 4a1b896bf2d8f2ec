"""A sample: its source, cuts, features, splits and tasks."""

from __future__ import annotations

from itertools import chain
from typing import Literal

from pydantic import Field, model_validator

from sdssflow.bands import BANDS
from sdssflow.configuration.clustering import Clustering, Outliers
from sdssflow.configuration.cuts import Cut
from sdssflow.configuration.explored import EXPLORED, ExploredFigure
from sdssflow.configuration.features import Features
from sdssflow.configuration.file_sources import EmbeddedSource, FileContent
from sdssflow.configuration.section import Described, Different, Name, SomeDifferent
from sdssflow.configuration.selection import PHOTOZ
from sdssflow.configuration.sources import Source, check_needed
from sdssflow.configuration.splits import Split


class Exploration(Clustering):
    """Figures of the catalogue and settings of the search for groups."""

    figures: Different[ExploredFigure] = ["magnitudes", "color_color"]
    """Figures of the catalogue. `sky_map` needs positions, `redshifts` and `color_redshift` need
    redshifts."""

    outliers: Outliers = Outliers()
    """Settings of the search for unusual objects."""

    def clustering(self) -> Clustering:
        """Return the settings of clustering and embeddings, without figures and outliers."""
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
        """Whether redshifts are learnt and the source has those of SDSS's own table Photoz."""
        return "regress" in self.tasks and {*PHOTOZ} <= {*getattr(self.source, "columns", ())}

    @model_validator(mode="after")
    def _source_has_something_to_learn_from(self) -> Sample:
        if getattr(self.source, "rows", "spectra") == "photometry":
            raise ValueError(
                "source.rows: 'photometry' has no classes and no redshifts to learn from; use it "
                "for targets, to which trained models are applied"
            )
        return self

    @model_validator(mode="after")
    def _source_has_the_columns(self) -> Sample:
        truth = {"classify": ["spec_class"], "regress": ["zspec"]}
        places = {"object": [], "plate": ["plate"], "sky_cell": ["ra", "dec"]}
        needed = {f"tasks: {task}": truth[task] for task in self.tasks}
        needed |= {f"features.{key}": names for key, names in self.features.needs.items()}
        for name, split in self.splits.items():
            needed[f"splits.{name}"] = places[getattr(split, "group", "object")]
        magnitudes = [f"{self.features.magnitudes}_mag_{band}" for band in BANDS]
        for name in self.explore.figures:
            columns = [magnitudes if n == "magnitudes" else [n] for n in EXPLORED[name].needs]
            needed[f"explore.figures: {name}"] = [*chain.from_iterable(columns)]
        check_needed(self.source, self.cuts, needed)
        return self

    @model_validator(mode="after")
    def _published_split_needs_a_source_that_has_one(self) -> Sample:
        published = [name for name, split in self.splits.items() if split.kind == "published"]
        has_parts = (isinstance(self.source, EmbeddedSource) and self.source.table == "mgs") or (
            isinstance(self.source, FileContent) and "published_part" in self.source.columns
        )
        if published and not has_parts:
            raise ValueError(
                f"splits.{published[0]}: kind 'published', but the source has no column "
                "'published_part'; map one in source.columns or choose kind 'holdout'"
            )
        return self
