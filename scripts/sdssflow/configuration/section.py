"""The base of every configuration section, and types of values that several sections use."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

# names of samples, splits and models become folders; a file name may contain two of them
NAME = "^[a-z][a-z0-9_]{0,59}$"
# tables would read them as values
NO_NAMES = {"false", "inf", "infinity", "na", "nan", "none", "null", "true"}
# other folders of results/ and of a sample's results
SAMPLES_RESERVED = {"bundles", "concepts", "provenance", "refits", "report", "workflow"}
MODELS_RESERVED = {"figures"}
# Snakemake replaces this in paths
PLACEHOLDER = r"<[a-z][a-z0-9_]*>"


class Section(BaseModel):
    """A block of YAML with known keys only.

    Unknown keys are refused, values are not converted from another type (a number is not a boolean,
    1.0 is not an integer), numbers are finite, a minimum is below its maximum, and a section can't
    be changed once read.
    """

    # pydantic could read the attribute docstrings, but would do so whenever Snakemake starts;
    # `documents` reads them when it writes the schemas
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        low, high = getattr(self, "minimum", None), getattr(self, "maximum", None)
        if low is not None and high is not None and low >= high:
            raise ValueError(f"minimum {low:g} is not below maximum {high:g}")
        return self

    def canonical(self) -> str:
        """Return the section as JSON with sorted keys, which rules take as one parameter.

        Snakemake compares parameters as text; a dict with its keys in another order would rerun a
        rule.
        """
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    @classmethod
    def from_canonical(cls, text: str) -> Self:
        """Read the output of `canonical`."""
        return cls.model_validate_json(text)


class Renamed(NamedTuple):
    """The former name of a key, as metadata of its type.

    `sdssflow.configuration.renames` reads the old name, with a warning, before version `until`.
    """

    old: str
    until: str


def _each_once(values: list[Any]) -> list[Any]:
    for number, value in enumerate(values):
        first = values.index(value)
        if first < number:
            if isinstance(value, str | int | float):
                raise ValueError(f"{value!r} is given twice")
            raise ValueError(f"entry {number + 1} is the same as entry {first + 1}")
    return values


def _not_a_value(name: str) -> str:
    if name in NO_NAMES:
        raise ValueError(f"{name!r} can't be a name, tables would read it as a value")
    return name


def _is_a_path(path: str) -> str:
    if not path.strip() or not path.isprintable():
        raise ValueError("a path is empty or contains a line break")
    if path.startswith("~"):
        raise ValueError("'~' means your home folder only in a shell; write the folder's name")
    if "://" in path:
        raise ValueError("a URL is not a path; download the file, or read it with source.kind: url")
    if found := re.search(PLACEHOLDER, path):
        raise ValueError(f"Snakemake replaces {found[0]} in a path; rename the file")
    return path


def _ascending(edges: list[float]) -> list[float]:
    if edges != sorted(set(edges)):
        raise ValueError("edges must be ascending")
    return edges


def unless_reserved(reserved: set[str], of: str) -> AfterValidator:
    """Return a check that a name is not that of another folder of results."""

    def check(name: str) -> str:
        if name in reserved:
            raise ValueError(
                f"{name} can't be the name of {of}, results/ has another folder of that name; "
                "choose another name"
            )
        return name

    return AfterValidator(check)


Name = Annotated[str, Field(pattern=NAME), AfterValidator(_not_a_value)]
SampleName = Annotated[Name, unless_reserved(SAMPLES_RESERVED, "a sample or target")]
ModelName = Annotated[Name, unless_reserved(MODELS_RESERVED, "a model")]
Element = TypeVar("Element")
FilePath = Annotated[str, AfterValidator(_is_a_path)]
Text = Annotated[str, Field(min_length=1)]
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
EachOnce = Field(json_schema_extra={"uniqueItems": True})
Different = Annotated[list[Element], AfterValidator(_each_once), EachOnce]
SomeDifferent = Annotated[list[Element], Field(min_length=1), AfterValidator(_each_once), EachOnce]
Edges = Annotated[list[float], Field(min_length=2), AfterValidator(_ascending)]
PointEstimate = Literal["mean", "median", "mode", "best"]  # of p(z)


class RowSource(Section):
    """Where rows come from."""

    # keys that change no row
    same_rows: ClassVar[set[str]] = set()

    def question(self) -> str:
        """Return as canonical JSON what changes the rows."""
        return json.dumps(self.model_dump(mode="json", exclude=self.same_rows), sort_keys=True)


class Described(Section):
    """Rows from a `source` that the report shows under a title."""

    title: Text
    """One line for the report."""
    description: str = ""
    """What the objects are and how they were selected, for the report."""
    reference: str = ""
    """Where the rows come from, as you would cite it."""

    @property
    def simulated(self) -> bool:
        """Whether its objects are simulated, not observed."""
        return getattr(getattr(self, "source", None), "simulated", None) is not None

    @property
    def shown_title(self) -> str:
        """The title, which always states whether the objects are simulated."""
        stated = "simulated" in self.title.lower() or not self.simulated
        return self.title if stated else f"{self.title} (simulated)"
