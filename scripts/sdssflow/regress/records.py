"""Types by which pydantic reads and writes dataclasses of numbers as JSON, which has no NaN."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, ConfigDict, GetPydanticSchema
from pydantic_core import core_schema

# of a dataclass: known keys only, and no number for another type's or beyond all numbers
RECORD = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)


def or_nan(item: Any) -> Any:
    """Return the type of an `item` that may be unknown: null in JSON, NaN in the dataclass."""
    return Annotated[item | None, AfterValidator(lambda value: np.nan if value is None else value)]


def array_of(item: Any) -> Any:
    """Return the type of a one-dimensional array: a list in JSON, with null for NaN.

    >>> from pydantic import TypeAdapter
    >>> TypeAdapter(array_of(float | None)).validate_json("[1.5, null]")
    array([1.5, nan])
    """

    def schema(_: Any, handler: Any) -> core_schema.CoreSchema:
        to_list = core_schema.plain_serializer_function_ser_schema(np.ndarray.tolist)
        return core_schema.no_info_after_validator_function(
            lambda values: np.array(values, float if None in values else None),
            handler(list[item]),
            serialization=to_list,
        )

    return Annotated[np.ndarray, GetPydanticSchema(schema)]
