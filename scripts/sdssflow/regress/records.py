"""JSON, which has no NaN, from dataclasses of numbers and back, by pydantic."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import ConfigDict, GetPydanticSchema
from pydantic_core import core_schema

# for a dataclass: known keys only, no conversion of types, no infinity
RECORD = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)
# for a number that may be unknown: null in JSON, NaN in the dataclass
OR_NAN = GetPydanticSchema(
    lambda item, handler: core_schema.no_info_after_validator_function(
        lambda value: np.nan if value is None else value, core_schema.nullable_schema(handler(item))
    )
)


def array_of(item: Any) -> GetPydanticSchema:
    """Return the schema of a one-dimensional array: a list in JSON, with null for NaN.

    >>> from typing import Annotated
    >>> from pydantic import TypeAdapter
    >>> numbers = Annotated[np.ndarray, array_of(float | None)]
    >>> TypeAdapter(numbers).validate_json("[1.5, null]")
    array([1.5, nan])
    """

    def schema(_: Any, handler: Any) -> core_schema.CoreSchema:
        to_list = core_schema.plain_serializer_function_ser_schema(np.ndarray.tolist)
        return core_schema.no_info_after_validator_function(
            lambda values: np.array(values, float if None in values else None),
            handler(list[item]),
            serialization=to_list,
        )

    return GetPydanticSchema(schema)
