"""What the report says of a metric."""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    """One metric.

    Attributes
    ----------
    label : str
        Name in the heads of tables.
    better : {'low', 'high', 'zero', ''}
        Which values are better.
    formula, meaning : str
        As the glossary prints them.
    source, url : str
        Where the convention is from, '' if it is everybody's.
    """

    label: str
    better: str
    formula: str
    meaning: str
    source: str = ""
    url: str = ""
