"""Boosted trees with a photometric redshift as an additional feature: the idea of SHEEP.

Cunha & Humphrey 2022 (A&A 666, A87): if a galaxy and a quasar have similar colours, their
photometric redshifts can separate them. So a regressor is trained on the redshifts of all classes,
and its prediction is one more feature of the classifier. Spectroscopic redshifts are needed only
for training: an object is classified from its photometry.

A regressor overfits its own training objects. The classifier is therefore trained on photometric
redshifts of regressors that were not trained on the object, nor on any of its group (a duplicate, a
plate): `out_of_fold`. All other objects get the redshift of a regressor trained on the whole
training part.

SHEEP averages three kinds of boosted trees at each step and adds a second layer trained on their
probabilities; here there is one kind, scikit-learn's, and no second layer.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold
from sklearn.utils.validation import check_is_fitted

from sdssflow.classify.classifiers import build, fit_classifier
from sdssflow.configuration.classifiers import GradientBoostingClassifier, PhotozBoosting
from sdssflow.prepare.parts import Part


class PhotozClassifier(ClassifierMixin, BaseEstimator):
    """Two estimators in sequence: features to zphot, features and zphot to classes.

    Parameters
    ----------
    regressor : scikit-learn regressor
        Regressor of redshifts; copies of it are fitted.
    classifier : scikit-learn classifier
        Classifier of (n, f + 1) columns: the features, then zphot. A copy is fitted.
    folds : int
        See `out_of_fold`.

    Attributes
    ----------
    regressor_, classifier_ : scikit-learn estimators
        Fitted.
    classes_ : (c,) array of str
        Classes of the classifier.
    """

    def __init__(self, regressor: BaseEstimator, classifier: BaseEstimator, folds: int = 5):
        self.regressor = regressor
        self.classifier = classifier
        self.folds = folds

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        zspec: np.ndarray,
        groups: np.ndarray,
        X_val: np.ndarray,
        y_val: np.ndarray,
    ) -> PhotozClassifier:
        """Fit both to (n, f) features, (n,) classes, redshifts and groups.

        The classifier stops on (m, f) features and (m,) classes of a validation part; m may be 0.
        """
        zphot = out_of_fold(self.regressor, X, zspec, groups, self.folds)
        known = np.isfinite(zspec)
        self.regressor_ = clone(self.regressor).fit(X[known], zspec[known])
        self.classifier_ = fit_classifier(
            clone(self.classifier),
            np.column_stack([X, zphot]),
            y,
            with_zphot(self.regressor_, X_val),
            y_val,
        )
        self.classes_ = self.classifier_.classes_
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return (n, c) probabilities for (n, f) features."""
        check_is_fitted(self)
        return self.classifier_.predict_proba(with_zphot(self.regressor_, X))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the (n,) most probable classes for (n, f) features."""
        check_is_fitted(self)
        return self.classifier_.predict(with_zphot(self.regressor_, X))


def with_zphot(regressor: BaseEstimator, features: np.ndarray) -> np.ndarray:
    """Return the (n, f + 1) columns of the classifier for (n, f) features; n may be 0."""
    zphot = regressor.predict(features) if len(features) else np.empty(0)
    return np.column_stack([features, zphot])


def out_of_fold(
    regressor: BaseEstimator,
    features: np.ndarray,
    zspec: np.ndarray,
    groups: np.ndarray,
    folds: int,
) -> np.ndarray:
    """Return (n,) zphot, each from a regressor that was not trained on the object's group.

    Parameters
    ----------
    regressor : scikit-learn regressor
        Unfitted; a copy is fitted for each fold.
    features : (n, f) float64 array
        NaN where missing, if the regressor accepts it.
    zspec : (n,) float64 array
        Redshifts to train on; objects with NaN are only predicted.
    groups : (n,) array
        Objects of one group are in the same fold.
    folds : int
        Number of folds, at most one per group.

    Raises
    ------
    ValueError
        If there are fewer than two groups, or no object outside a fold has a redshift.
    """
    parts = min(folds, len(np.unique(groups)))
    if parts < 2:
        raise ValueError(
            f"the training part has {parts} group of objects, and photometric redshifts to train "
            "the classifier on need two; choose another split"
        )
    zphot = np.empty(len(features))
    for others, left_out in GroupKFold(parts).split(features, groups=groups):
        known = others[np.isfinite(zspec[others])]
        if not len(known):
            raise ValueError("too few training objects have a redshift; loosen the cuts")
        fitted = clone(regressor).fit(features[known], zspec[known])
        zphot[left_out] = fitted.predict(features[left_out])
    return zphot


def fit(
    settings: PhotozBoosting, seed: int, train: Part, validation: Part, threads: int = 1
) -> PhotozClassifier:
    """Fit both estimators; arguments are as in `configuration.kinds`.

    Raises
    ------
    ValueError
        If the sample has no redshifts, or for the reasons of `out_of_fold`.
    """
    if train.zspec is None:
        raise ValueError(
            "the sample has no zspec, which photoz_boosting is trained on; use gradient_boosting"
        )
    regressor = HistGradientBoostingRegressor(
        max_iter=settings.iterations,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.min_samples_leaf,
        early_stopping=False,
        random_state=seed,
    )
    shared = settings.model_dump(include=set(GradientBoostingClassifier.model_fields) - {"kind"})
    boosting = GradientBoostingClassifier(kind="gradient_boosting", **shared)
    estimator = PhotozClassifier(regressor, build(boosting, seed, threads), settings.folds)
    return estimator.fit(
        train.features,
        train.truth("spec_class"),
        train.zspec,
        train.group,
        validation.features,
        validation.truth("spec_class"),
    )
