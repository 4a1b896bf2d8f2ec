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
        self._rows: list[tuple[str, str, int, str, int]] = []

    def note(self, column: str, defect: str, where: np.ndarray, action: str) -> None:
        """Count the True values of `where`, shape (n_rows,); nothing is noted if there is none."""
        count = int(np.count_nonzero(where))
        if count:
            self._rows.append((column, defect, count, action, int(np.argmax(where))))

    def frame(self) -> pd.DataFrame:
        """Return one row per column and defect; `example_row` is the `row_id` of the first one."""
        return pd.DataFrame(self._rows, columns=list(NAMES))
