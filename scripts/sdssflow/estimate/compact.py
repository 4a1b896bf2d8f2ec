"""Storage of p(z) of many objects, as quantiles or parameters, in list columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sdssflow.configuration.targets import PdfForm
from sdssflow.redshift_pdf.mixture import Mixture

LEVELS_5 = (0.05, 0.25, 0.5, 0.75, 0.95)
COLUMNS = {
    "none": (),
    "quantiles_5": ("pdf_quantiles",),
    "mixture": ("pdf_weights", "pdf_means", "pdf_scales"),
    "quantiles_99": (),  # in a file of their own
}


NZ_WEIGHTS = "nz_weights"


class PdfColumns:
    """Collects the p(z) of n objects block by block, in one of the forms of columns.

    Weights are such that the truncated mixture has an integral of 1. With (b + 1,) `edges` there is
    also a column of the probabilities in each of b bins.
    """

    def __init__(
        self, form: PdfForm, n: int, kind: type = np.float32, edges: Sequence[float] = ()
    ) -> None:
        self.form = form
        self._kind = kind
        self._n = n
        self._edges = edges
        self._rows: list[np.ndarray] = []
        names = (*COLUMNS[form], *([NZ_WEIGHTS] if len(edges) else []))
        self._lists: dict[str, list[np.ndarray]] = {name: [] for name in names}

    def see(self, pdf: Mixture, rows: np.ndarray) -> None:
        """Add the p(z) of the objects at these ascending indices, above all previous ones."""
        if not self._lists:
            return
        self._rows.append(rows)
        found: tuple[np.ndarray, ...] = ()
        if self.form == "quantiles_5":
            found = (pdf.quantiles(LEVELS_5),)
        elif self.form == "mixture":
            found = pdf.normalised()
        if len(self._edges):
            below = pdf.cdf(np.tile(np.asarray(self._edges), (len(rows), 1)))
            found = (*found, np.diff(below, axis=1))
        for kept, values in zip(self._lists.values(), found, strict=True):
            kept.append(values.astype(self._kind))

    def columns(self) -> dict[str, pa.Array]:
        """Return the list columns, null where there is no p(z)."""
        return {name: self._column(kept) for name, kept in self._lists.items()}

    def _column(self, kept: list[np.ndarray]) -> pa.Array:
        lengths = np.zeros(self._n, np.int32)
        for rows, values in zip(self._rows, kept, strict=True):
            lengths[rows] = values.shape[1]
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        offsets = pa.array(ends, mask=np.append(lengths == 0, False))
        values = np.concatenate([np.empty(0, self._kind), *(v.ravel() for v in kept)])
        return pa.ListArray.from_arrays(offsets, pa.array(values))
