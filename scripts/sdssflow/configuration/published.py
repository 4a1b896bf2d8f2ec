"""A published number as data: what it is, where it was read, and what ours is compared with it.

Each file `config/published/NAME.yaml` holds one. Papers give different formulas the same name and
describe their samples in prose, so an entry names the convention of its metric, and states for each
comparison with our own runs either how far apart the two may be, or why they can't be compared.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sdssflow.configuration.section import Edges, Name, Section, Text

Count = Annotated[int, Field(ge=1)]


class Citation(Section):
    """Where a number was published."""

    authors: Text
    """Authors, as cited in a text."""
    year: Annotated[int, Field(ge=1990, le=2100)] | None = None
    """Year of publication, if known."""
    journal: str = ""
    """Journal, volume and page, or the type of another publication."""
    arxiv: str = Field(default="", pattern=r"^$|^\d{4}\.\d{4,5}$|^astro-ph/\d{7}$")
    """Number of the preprint."""
    doi: str = Field(default="", pattern=r"^$|^10\..+/.+$")
    """Digital object identifier; omitted if uncertain."""

    @model_validator(mode="after")
    def _can_be_found(self) -> Citation:
        if not (self.journal or self.arxiv or self.doi):
            raise ValueError("give a journal, arxiv or doi, so that it can be found")
        return self

    @property
    def short(self) -> str:
        """Authors, year and reference."""
        found = self.journal or (self.arxiv and f"arXiv:{self.arxiv}") or f"doi:{self.doi}"
        return f"{self.authors} {self.year or ''}".rstrip() + f", {found}"


class PublishedSample(Section):
    """The objects behind a published number."""

    description: Text
    """What they are and how they were selected, as far as known."""
    train: Count | None = None
    """Number of training objects, if known."""
    test: Count | None = None
    """Number of test objects, if known."""
    definition: Name | None = None
    """The closest file of `config/samples/`, if there is one."""


class Verified(Section):
    """How the published number was verified."""

    how: Literal["read", "quoted", "digitised"]
    """`read` in the work itself, `quoted` by others, or `digitised`: read off a figure. A number
    from memory is not an entry."""
    reading_error: Annotated[float, Field(gt=0)] | None = None
    """Standard error of a number read off a figure."""
    at: Text
    """Where it was read."""
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """The day it was read."""

    @model_validator(mode="after")
    def _a_figure_is_read_with_an_error(self) -> Verified:
        if (self.how == "digitised") != (self.reading_error is not None):
            raise ValueError("reading_error: required if how is digitised, not allowed otherwise")
        return self


class Curve(Section):
    """A number for each bin of zspec."""

    edges: Edges
    """Edges of the bins of zspec, ascending: one more than values."""
    values: list[float] = Field(min_length=2)
    """The numbers."""

    @model_validator(mode="after")
    def _one_number_a_bin(self) -> Curve:
        if len(self.edges) != len(self.values) + 1:
            raise ValueError(f"edges: give {len(self.values) + 1}, one more than values")
        return self


class Histogram(Section):
    """How objects are distributed over bins."""

    edges: Edges
    """Edges of the bins, ascending: one more than shares."""
    shares: list[Annotated[float, Field(ge=0)]] = Field(min_length=1)
    """Objects in each bin, as numbers or as shares of the whole."""

    @model_validator(mode="after")
    def _one_share_a_bin(self) -> Histogram:
        if len(self.edges) != len(self.shares) + 1 or not sum(self.shares):
            raise ValueError("give one edge more than shares, and a share above 0")
        return self


class Selection(Section):
    """The distribution of a paper's objects as stated there: a range, a median or a histogram."""

    variable: Literal["reference_mag", "zspec"]
    """Variable: the reference magnitude of our sample, or the spectroscopic redshift."""
    minimum: float | None = None
    """Smallest value of the paper's objects."""
    maximum: float | None = None
    """Largest value."""
    median: float | None = None
    """Half of its objects lie below."""
    histogram: Histogram | None = None
    """Its objects bin by bin; in place of the others."""
    according_to: Text
    """Where that is said."""

    @model_validator(mode="after")
    def _says_something(self) -> Selection:
        ends = [value for value in (self.minimum, self.median, self.maximum) if value is not None]
        if bool(ends) == bool(self.histogram):
            raise ValueError("give a histogram, or any of minimum, maximum and median")
        if ends != sorted(set(ends)):
            raise ValueError("minimum, median and maximum must be ascending")
        return self

    @property
    def described(self) -> str:
        """The distribution in one line."""
        stated = {"from": self.minimum, "to": self.maximum, "median": self.median}
        words = [f"{word} {value:g}" for word, value in stated.items() if value is not None]
        if self.histogram:
            words = [f"{len(self.histogram.shares)} bins"]
        return f"{self.variable}: {', '.join(words)} ({self.according_to})"

    @property
    def bins(self) -> Histogram:
        """The same as a histogram; its ends are infinite where none is given."""
        if self.histogram:
            return self.histogram
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        inner = [] if self.median is None else [self.median]
        edges = [low, *inner, high]
        return Histogram.model_construct(edges=edges, shares=[1.0] * (len(edges) - 1))


class Closing(Section):
    """What closes a gap: one of these."""

    sample: Name | None = None
    """A file of `config/samples/`: its rows or its columns."""
    model: Name | None = None
    """A `kind` of model."""
    address: Text | None = None
    """Where the missing data are, outside this project."""

    @model_validator(mode="after")
    def _one_thing(self) -> Closing:
        if [self.sample, self.model, self.address].count(None) != 2:
            raise ValueError("give exactly one of sample, model and address")
        return self


class Gap(Section):
    """One difference between the rows that come with the project and a published number."""

    of: Literal["rows", "features", "method", "formula"]
    """What differs: the objects, the features, the method, or the formula."""
    what: Text
    """What the paper has and we lack, or what we do not know."""
    closed_by: list[Closing] = []
    """What closes it; omitted if we know of nothing."""


class Comparison(Section):
    """Which of our numbers is compared with the published one."""

    sample: Name
    """Name of our sample."""
    split: Name
    """Name of its split."""
    model: Name
    """Name of our model."""
    tolerance: Annotated[float, Field(gt=0)] | None = None
    """How far ours may be from the published number, in units of the metric, in addition to the
    uncertainties of both. Without it the two are not compared."""
    because: Text
    """Why this tolerance; without one, why the numbers can't be compared."""
    selection: Selection | None = None
    """If given, our test objects are weighted to be distributed as the paper's objects. They are
    still not the paper's objects: the verdict is whether the two are compatible, never that a
    number is reproduced."""

    @property
    def place(self) -> tuple[str, str, str]:
        """Sample, split and model."""
        return self.sample, self.split, self.model

    @model_validator(mode="after")
    def _a_selection_has_a_tolerance(self) -> Comparison:
        if self.selection and self.tolerance is None:
            raise ValueError("selection: needs a tolerance, within which the two are compatible")
        return self


class PublishedNumber(Section):
    """`config/published/NAME.yaml`: one published number and what it is compared with."""

    title: Text
    """One line."""
    citation: Citation
    """Who published it."""
    where: Text
    """Where in the work: abstract, table, section."""
    sample: PublishedSample
    """On which objects."""
    features: Text
    """What the model saw."""
    method: Text
    """How they did it."""
    task: Literal["classify", "regress"]
    """What was learnt."""
    metric: Text
    """Name of the metric in our score tables."""
    convention: Text
    """The convention of the metric, by which its formula differs from others of that name."""
    subset: Literal["all", "GALAXY", "QSO", "STAR"] = "all"
    """The class that the metric is about."""
    value: float | None = None
    """The number."""
    curve: Curve | None = None
    """In place of `value`: a number for each bin, of redshifts."""
    uncertainty: Annotated[float, Field(ge=0)] | None = None
    """Its standard error as published, if any."""
    verified: Verified
    """How we know."""
    gaps: list[Gap] = []
    """Differences between the rows that come with the project and this number; empty if the default
    run compares the two."""
    comparisons: list[Comparison] = Field(min_length=1)
    """Which of our scores are compared with it."""

    @model_validator(mode="after")
    def _a_value_or_a_curve(self) -> PublishedNumber:
        if (self.value is None) == (self.curve is None):
            raise ValueError("give a value or a curve")
        if self.curve and (self.task != "regress" or self.subset != "all"):
            raise ValueError("curve: only for task regress and subset all")
        selected = any(each.selection for each in self.comparisons)
        if selected and (self.curve or self.task != "regress"):
            raise ValueError("selection: only for task regress and a value, not a curve")
        return self

    @model_validator(mode="after")
    def _each_comparison_once(self) -> PublishedNumber:
        names = [(*each.place, each.selection is not None) for each in self.comparisons]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"comparisons: {'/'.join(name[:3])} is given twice")
        return self
