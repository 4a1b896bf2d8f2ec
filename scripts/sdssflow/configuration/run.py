"""A run: which samples, models and seeds, how uncertain, how drawn."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sdssflow.configuration.classifiers import ClassifierSettings
from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.configuration.regressors import RegressorSettings
from sdssflow.configuration.section import Section
from sdssflow.configuration.values import (
    Different,
    FilePath,
    ModelName,
    SampleName,
    Seed,
    SomeDifferent,
)


class Bootstrap(Section):
    """Confidence intervals of every score."""

    replicates: Annotated[int, Field(ge=20)] = 200
    """Number of bootstrap replicates."""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Two-sided confidence level."""
    seed: Seed = 1
    """Seed of the draws."""


Convention = Literal[
    "astroml",
    "ball2007",
    "brescia2014",
    "data_driven_astronomy",
    "henghes2021",
    "oyaizu2008",
    "rail",
    "sheep2022",
    "yang2017",
]


class RedshiftScores(Section):
    """Conventions of the redshift scores."""

    mape_epsilon: Annotated[float, Field(gt=0)] = 1e-3
    """Smallest |zspec| in the denominator of the mean absolute percentage error."""
    bins: Annotated[int, Field(ge=2)] = 8
    """Bins of redshift and magnitude, with equal numbers of objects."""
    conventions: Different[Convention] = []
    """Papers whose own scores are computed besides those of every run, to compare with their
    numbers; `docs/metric_conventions.md` lists them."""


class ClassScores(Section):
    """Conventions of the class scores."""

    calibration_bins: Annotated[int, Field(ge=2)] = 10
    """Bins of equal width in probability for the expected calibration error."""
    magnitude_bins: Annotated[int, Field(ge=2)] = 6
    """Bins of magnitude, with equal numbers of objects."""


class Figures(Section):
    """How figures look."""

    format: Literal["png", "svg"] = "png"
    """File format; the report shows these files."""
    also: Different[Literal["png", "svg", "pdf"]] = []
    """Further formats that each figure is written in, beside the first; PDF for papers."""
    dpi: Annotated[int, Field(ge=50, le=600)] = 130
    """Resolution of bitmaps."""

    @model_validator(mode="after")
    def _further_formats_are_others(self) -> Figures:
        if self.format in self.also:
            raise ValueError(f"also: {self.format!r} is the first format already")
        return self


class Downloads(Section):
    """How archives are asked: politely, and not for ever. Nothing here changes a result."""

    store: FilePath = "data/downloads"
    """Folder of verified answers, shared by all samples: what stands there is never asked again."""
    pause_s: Annotated[float, Field(ge=0, le=3600)] = 1.0
    """Least time between two queries of this machine. SkyServer allows 60 a minute."""
    timeout_s: Annotated[float, Field(gt=0)] = 660.0
    """Longest silence of the server. It gives up on a query by itself after 600 s."""
    deadline_s: Annotated[float, Field(gt=0)] = 1800.0
    """Longest time for one answer, silent or not."""
    give_up_s: Annotated[float, Field(gt=0)] = 14400.0
    """Longest time for all the answers of one job."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 6
    """How often a query is sent before the job fails; what is complete stays complete."""
    wait_s: Annotated[float, Field(ge=0)] = 5.0
    """Longest wait before the second attempt; it doubles with each further one, up to 300 s."""
    contact: Annotated[str, Field(pattern=r"^[ -~]{0,100}$")] = ""
    """Your e-mail address, told to the server so that its operators can reach you."""


class RunConfiguration(Section):
    """`config/config.yaml`: what one run of the workflow does."""

    samples: SomeDifferent[SampleName]
    """Names of the samples, each a file `NAME.yaml` in `sample_folder`."""
    sample_folder: FilePath = "config/samples"
    """Folder of the sample definitions, relative to the working directory."""
    seeds: SomeDifferent[Seed]
    """Every split and every model is made once for each of these seeds."""
    classifiers: dict[ModelName, ClassifierSettings]
    """Classifiers by name."""
    regressors: dict[ModelName, RegressorSettings]
    """Regressors by name."""
    bootstrap: Bootstrap = Bootstrap()
    """Confidence intervals."""
    redshift_scores: RedshiftScores = RedshiftScores()
    """Conventions of the redshift scores."""
    redshift_pdfs: RedshiftPdfs = RedshiftPdfs()
    """Calibration and summaries of p(z)."""
    class_scores: ClassScores = ClassScores()
    """Conventions of the class scores."""
    figures: Figures = Figures()
    """How figures look."""
    downloads: Downloads = Downloads()
    """How archives are asked."""

    @model_validator(mode="after")
    def _voters_exist(self) -> RunConfiguration:
        for name, settings in self.classifiers.items():
            for member in getattr(settings, "members", []) if settings.kind == "soft_vote" else []:
                if member not in self.classifiers:
                    raise ValueError(
                        f"classifiers.{name}.members: there is no classifier {member!r}; "
                        f"known: {', '.join(self.classifiers)}"
                    )
                if self.classifiers[member].kind == "soft_vote":
                    raise ValueError(f"classifiers.{name}.members: {member!r} is a vote itself")
        return self
