"""What a kind of model says of itself holds for the module that makes it."""

import inspect
from typing import get_args

import pytest

from sdssflow.configuration import classifiers, regressors
from sdssflow.models.folders import program

KINDS = [
    kind
    for union in (classifiers.ClassifierSettings, regressors.RegressorSettings)
    for kind in get_args(get_args(union)[0])
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_program_fits_and_loads_as_the_kinds_say(kind):
    shared = ["settings", "seed", "train", "validation"]
    how = ["device", "checkpoint"] if kind.needs_torch else ["threads"]
    made_by = program(kind)
    assert list(inspect.signature(made_by.fit).parameters) == [*shared, *how]
    if kind.needs_torch:
        assert list(inspect.signature(made_by.load).parameters) == ["path", "settings", "names"]
