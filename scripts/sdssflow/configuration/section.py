"""The base of every configuration section, and types of values that several of them have."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

# results are folders by the names of samples, splits and models; a file's name may hold two
NAME = "^[a-z][a-z0-9_]{0,59}$"
# tables would read them as no name
NO_NAMES = {"false", "inf", "infinity", "na", "nan", "none", "null", "true"}
# folders of results/ that are no sample's, and of a sample's results that are no model's
SAMPLES_RESERVED = {"bundles", "concepts", "provenance", "refits", "report", "workflow"}
MODELS_RESERVED = {"figures"}
# Snakemake would look for its own values in such a path
PLACEHOLDER = r"<[a-z][a-z0-9_]*>"


class Section(BaseModel):
    """A block of YAML with known keys only.

    Unknown keys are refused, values are not converted from text or from another type (a number is
    no truth value, 1.0 no whole number), numbers are finite, what has a minimum and a maximum has
    room between them, and a section can't be changed once read.
    """

    # pydantic could read the attribute docstrings, but would do so at each start of Snakemake;
    # `documents` reads them when it writes the schemas
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        low, high = getattr(self, "minimum", None), getattr(self, "maximum", None)
        if low is not None and high is not None and low >= high:
            raise ValueError(f"minimum {low:g} is not below maximum {high:g}")
        return self

    def canonical(self) -> str:
        """Return the section as JSON with sorted keys: what rules pass on as one parameter.

        Snakemake compares parameters as they stand; a dict whose keys moved would rerun a rule,
        this text would not.
        """
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    @classmethod
    def from_canonical(cls, text: str) -> Self:
        """Read back what `canonical` wrote."""
        return cls.model_validate_json(text)


class Renamed(NamedTuple):
    """Of a key, beside its type: what it was called before.

    `sdssflow.configuration.renames` reads the old name, with a warning, before version `until`.
    """

    old: str
    until: str


class EachOnce:
    """Of a list: no two of its elements are the same."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_each_once, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "uniqueItems": True}


def _each_once(values: list[Any]) -> list[Any]:
    for number, value in enumerate(values):
        first = values.index(value)
        if first < number:
            if isinstance(value, str | int | float):
                raise ValueError(f"{value!r} is named twice")
            raise ValueError(f"entry {number + 1} is the same as entry {first + 1}")
    return values


def _no_word_for_nothing(name: str) -> str:
    if name in NO_NAMES:
        raise ValueError(f"{name!r} can't be a name, tables would read it as a value")
    return name


def _is_a_path(path: str) -> str:
    if not path.strip() or not path.isprintable():
        raise ValueError("a path is empty or has a line break in it")
    if path.startswith("~"):
        raise ValueError("'~' means your home folder only to a shell; write the folder's name")
    if found := re.search(PLACEHOLDER, path):
        raise ValueError(f"Snakemake replaces {found[0]} in a path; name the file otherwise")
    return path


def unless_reserved(reserved: set[str], of: str) -> AfterValidator:
    """Return a check that a name is not that of another folder."""

    def check(name: str) -> str:
        if name in reserved:
            raise ValueError(
                f"{name} can't be the name of {of}, results/ has another folder of that name; "
                "choose another name"
            )
        return name

    return AfterValidator(check)


Name = Annotated[str, Field(pattern=NAME), AfterValidator(_no_word_for_nothing)]
SampleName = Annotated[Name, unless_reserved(SAMPLES_RESERVED, "a sample or target")]
ModelName = Annotated[Name, unless_reserved(MODELS_RESERVED, "a model")]
Element = TypeVar("Element")
FilePath = Annotated[str, AfterValidator(_is_a_path)]
Text = Annotated[str, Field(min_length=1)]
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Different = Annotated[list[Element], EachOnce()]
SomeDifferent = Annotated[list[Element], Field(min_length=1), EachOnce()]
PointEstimate = Literal["mean", "median", "mode", "best"]  # of p(z)


class RowSource(Section):
    """Where rows come from."""

    # keys that change no row
    same_rows: ClassVar[set[str]] = set()

    def question(self) -> str:
        """Return as canonical JSON what changes the rows."""
        return json.dumps(self.model_dump(mode="json", exclude=self.same_rows), sort_keys=True)


class Described(Section):
    """Rows with a `source` that the report shows under a title."""

    title: Text
    """One line for the report."""
    description: str = ""
    """What the objects are and how they were selected, for the report."""
    reference: str = ""
    """Where the rows come from, as you would cite it."""

    @property
    def simulated(self) -> bool:
        """Whether its objects are no observed ones."""
        return getattr(getattr(self, "source", None), "simulated", None) is not None

    @property
    def shown_title(self) -> str:
        """The title; it says of what is simulated that it is, whoever wrote it."""
        stated = "simulated" in self.title.lower() or not self.simulated
        return self.title if stated else f"{self.title} (simulated)"
