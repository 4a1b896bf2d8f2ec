"""What was found wrong, how often and what became of it: the rows of ``defects.csv``."""

from __future__ import annotations

import numpy as np
import pandas as pd

SET_TO_NULL = "set to null"
KEPT_AS_NULL = "kept as null"
KEPT = "kept"
NAMES = ("column", "defect", "count", "action", "example_row")


class Defects:
    """Counts of defects, in the order in which they are found.

    Examples
    --------
    >>> defects = Defects()
    >>> defects.note("ra", "missing", np.array([False, True, True]), KEPT_AS_NULL)
    >>> print(defects.frame().to_csv(index=False), end="")
    column,defect,count,action,example_row
    ra,missing,2,kept as null,1
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], tuple[int, int]] = {}

    def note(
        self, column: str, defect: str, where: np.ndarray, action: str, first_row: int = 0
    ) -> None:
        """Count the True values of `where`, shape (n_rows,); nothing is noted if there is none.

        `first_row` is the `row_id` of its first row, where a table comes in blocks.
        """
        count = int(np.count_nonzero(where))
        if count:
            key = (column, defect, action)
            before, example = self._found.get(key, (0, first_row + int(np.argmax(where))))
            self._found[key] = (before + count, example)

    def frame(self) -> pd.DataFrame:
        """Return one row per column and defect; `example_row` is the `row_id` of the first one."""
        rows = [
            (column, defect, count, action, example)
            for (column, defect, action), (count, example) in self._found.items()
        ]
        return pd.DataFrame(rows, columns=list(NAMES))
