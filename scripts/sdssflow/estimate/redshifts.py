"""The regressors of all folds with their calibrations, applied to objects without spectra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sdssflow.models.folders import ModelFolder
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.redshift_pdf.summaries import summarise
from sdssflow.regress.calibrations import FoldCalibration, by_block, read_calibration
from sdssflow.regress.conformal import LEVELS, intervals

CALIBRATION, REFERENCE = "calibration.json", "reference.parquet"  # in a bundle
See = Callable[[Mixture, slice], None]


class PdfModel(Protocol):
    """A trained regressor with p(z)."""

    def predict_pdf(self, features: np.ndarray) -> Mixture:
        """Return p(z) for (n, f) features."""
        ...


@dataclass(frozen=True)
class RedshiftModel:
    """The models of k folds, each with its calibration; their p(z) are averaged.

    Attributes
    ----------
    names : tuple of str
        Names of the features.
    point : str
        The summary of p(z) used as zphot.
    folds : list of (PdfModel, FoldCalibration)
        One per fold.
    edges : (b + 1,) float64 array
        Edges of the tomographic bins in zphot; may be empty.
    takes_missing : bool
        Whether models of this kind accept missing features.
    """

    names: tuple[str, ...]
    point: str
    folds: list[tuple[PdfModel, FoldCalibration]]
    edges: np.ndarray
    takes_missing: bool = False

    @classmethod
    def open(cls, folder: ModelFolder, edges: Sequence[float]) -> RedshiftModel:
        """Load the model of a bundle's folder; raises as `models.folders` does."""
        card, path = folder.card, folder.path
        calibration = read_calibration(path / CALIBRATION, path / REFERENCE)
        folds = []
        for fold in card["folds"]:
            found = calibration.folds.get(fold)
            if found is None or found.training_digest != folder.trained_on(fold):
                raise ValueError(f"{path}: the calibration of fold {fold} is for another model")
            folds.append((folder.load_model(fold), found))
        point = folder.fold_settings(card["folds"][0]).point
        takes = folder.settings.takes_missing
        return cls(tuple(card["features"]), point, folds, np.array(edges, dtype=float), takes)

    def usable(self, features: np.ndarray) -> np.ndarray:
        """Return (n,) bool: objects whose features the models of all folds accept."""
        usable = np.isfinite(features).any(axis=1)
        for model, _ in self.folds:
            if hasattr(model, "usable"):
                usable &= model.usable(features)
            elif not self.takes_missing:
                usable &= np.isfinite(features).all(axis=1)
        return usable

    def columns(
        self, features: np.ndarray, magnitude: np.ndarray, threads: int = 1, see: See | None = None
    ) -> dict[str, np.ndarray]:
        """Estimate the redshifts of n objects.

        Parameters
        ----------
        features : (n, f) float64 array
            Features that are `usable`.
        magnitude : (n,) float32 array
            Reference magnitudes in mag, NaN where missing.
        threads : int
            Number of blocks in parallel; results do not depend on it.
        see : callable, optional
            Called with the p(z) of each block and its rows, in order.

        Returns
        -------
        dict of str to (n,) array
            The columns of `summaries.summarise` and `FoldCalibration.columns`, as rule predict_pdfs
            writes them for a test part, and `tomographic_bin` (uint8, from 0; 255 outside of the
            edges). With several folds, conformal half widths and distances are means, and an object
            is outside of the training part if it is outside for every fold.
        """

        def predict(rows: slice) -> tuple[Mixture, dict[str, np.ndarray]]:
            pdf = Mixture.averaged(
                [fold.recalibrate(model.predict_pdf(features[rows])) for model, fold in self.folds]
            )
            found = summarise(pdf, self.point)
            return pdf, found | self._calibrated(pdf, features[rows], magnitude[rows])

        blocks = []
        for rows, (pdf, found) in by_block(predict, len(features), threads):
            blocks.append(found)
            if see is not None:
                see(pdf, rows)
        if not blocks:
            return {name: np.empty(0, kind) for name, kind in self._kinds().items()}
        columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        if len(self.edges):
            columns["tomographic_bin"] = bins_of(columns["zphot"], self.edges)
        return columns

    def _calibrated(
        self, pdf: Mixture, features: np.ndarray, magnitude: np.ndarray
    ) -> dict[str, np.ndarray]:
        folds = [fold for _, fold in self.folds]
        if len(folds) == 1:
            return folds[0].columns(pdf, features, self.names, magnitude)
        reach = {
            name: np.mean([fold.conformal.half_widths(name, magnitude) for fold in folds], axis=0)
            for name in LEVELS
        }
        distances = [fold.support.distances(features, self.names) for fold in folds]
        outside = [fold.support.outside(d) for fold, d in zip(folds, distances, strict=True)]
        return {
            **intervals(pdf, reach),
            "train_distance": np.mean(distances, axis=0),
            "outside_training": np.all(outside, axis=0),
        }

    def _kinds(self) -> dict[str, np.dtype]:
        """Names and types of the columns, from a dummy object."""
        zero = np.zeros(1)
        one = Mixture(zero[None] + 1, zero[None], zero[None] + 1, 0.0, 1.0)
        features = np.full((1, len(self.names)), np.nan)
        found = summarise(one, self.point) | self._calibrated(one, features, zero)
        if len(self.edges):
            found["tomographic_bin"] = np.zeros(1, np.uint8)
        return {name: values.dtype for name, values in found.items()}


def bins_of(zphot: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return (n,) uint8 bins of (n,) zphot, lower edges included; 255 outside of the edges.

    >>> bins_of(np.array([-0.1, 0.0, 0.15, 0.2]), np.array([0.0, 0.1, 0.2])).tolist()
    [255, 0, 1, 255]
    """
    number = np.searchsorted(edges, zphot, side="right") - 1
    return np.where((number < 0) | (number >= len(edges) - 1), 255, number).astype(np.uint8)
