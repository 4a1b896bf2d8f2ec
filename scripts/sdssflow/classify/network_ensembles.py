"""Small networks trained together in one batched program; their probabilities are averaged."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin

from sdssflow.configuration.classifiers import NetworkEnsembleClassifier
from sdssflow.ensembles.batched_networks import Settings, Shape
from sdssflow.ensembles.class_networks import ClassNetworks, class_program
from sdssflow.ensembles.photometric_inputs import PhotometricInputs
from sdssflow.ensembles.training import BUFFERS, descend
from sdssflow.prepare.parts import Part


class NetworkEnsemble(ClassifierMixin, BaseEstimator):
    """An ensemble of networks as an estimator of scikit-learn, which skops can save.

    Attributes
    ----------
    classes_ : (c,) array of str
        Classes of the training part, in the order of the columns.
    names_ : list of str
        Names of the f features.
    shape_ : dict
        The attributes of `batched_networks.Shape`.
    inputs_ : dict of str to array
        The attributes of `PhotometricInputs`.
    parameters_ : (p,) float32 array
        Parameters of all members.
    """

    def fit(
        self, settings: NetworkEnsembleClassifier, seed: int, train: Part, validation: Part
    ) -> NetworkEnsemble:
        """Train all members together on the train part; arguments are as for `fit` below."""
        names = np.unique(train.truth("spec_class"))
        known = validation.subset(np.isin(validation.truth("spec_class"), names))
        own = Settings(**settings.model_dump(exclude={"kind", "calibration"}))
        program = class_program(own, seed, train, known, torch.device("cpu"), names.tolist())
        state = descend(program, settings, (train.digest, known.digest))
        inputs, shape, parameters = program.trained(state)
        self.classes_ = names
        self.names_ = list(train.feature_names)
        self.shape_ = {**vars(shape), "hidden": list(shape.hidden)}
        self.inputs_ = {name: getattr(inputs, name).numpy() for name in BUFFERS}
        self.parameters_ = parameters.numpy()
        return self

    def networks(self) -> ClassNetworks:
        """Return the networks."""
        shape = Shape(**{**self.shape_, "hidden": tuple(self.shape_["hidden"])})
        inputs = PhotometricInputs(*(torch.from_numpy(self.inputs_[name]) for name in BUFFERS))
        return ClassNetworks(
            inputs, shape, torch.from_numpy(self.parameters_), tuple(self.classes_.tolist())
        )

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Return (n, c) probabilities for (n, f) features without missing values."""
        return self.networks().probabilities(np.asarray(features, dtype=float), self.names_)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the (n,) most probable classes."""
        return self.classes_[self.predict_proba(features).argmax(axis=1)]


def fit(
    settings: NetworkEnsembleClassifier, seed: int, train: Part, validation: Part, threads: int = 1
) -> NetworkEnsemble:
    """Train all members together; arguments are as in `configuration.kinds`.

    Each member is stopped on its own block of train and validation part together. Validation
    objects of a class that is not in the training part are left out.

    Raises
    ------
    ValueError
        If there are fewer objects than the blocks need.
    """
    torch.set_num_threads(1)  # more would round sums in another order
    return NetworkEnsemble().fit(settings, seed, train, validation)
