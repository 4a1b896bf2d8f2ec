import numpy as np
import pyarrow as pa
import pytest

from sdssflow.tables import with_metadata
from tests.prepare import catalogues


@pytest.fixture
def make_catalogue():
    """A catalogue of galaxies, quasars and stars, half of them galaxies."""

    def make(n=300, leave_out=(), seed=0, extinction_applied=False):
        generator = np.random.default_rng(seed)
        kinds = np.resize(["GALAXY", "GALAXY", "STAR", "QSO"], n)
        columns = {
            "spec_class": kinds,
            "zspec": np.where(kinds == "STAR", 0.0, generator.uniform(0.02, 0.5, n)),
            "extinction_r": generator.uniform(0.02, 0.3, n),
        }
        table = catalogues.make_catalogue(n, seed, **(columns | dict.fromkeys(leave_out)))
        return with_metadata(table, extinction_applied=extinction_applied)

    return make


@pytest.fixture
def make_features():
    """A feature table: three round blobs, far apart, as three classes."""

    def make(n=240, d=4, seed=0, leave_out=(), blobs=3):
        generator = np.random.default_rng(seed)
        member = np.arange(n) % blobs
        centers = 12 * np.eye(blobs, d)
        values = centers[member] + generator.normal(size=(n, d))
        names = [f"feature_{column}" for column in range(d)]
        columns = {
            "row_id": pa.array(1000 + 7 * np.arange(n), type=pa.int64()),
            "object_key": pa.array([f"object_{row}" for row in range(n)]),
            "spec_class": pa.array(np.array(["GALAXY", "QSO", "STAR"])[member % 3]),
            "zspec": pa.array(member + generator.uniform(0, 0.5, n)),
            **{name: pa.array(values[:, column]) for column, name in enumerate(names)},
        }
        table = pa.table({name: col for name, col in columns.items() if name not in leave_out})
        return with_metadata(table, sample="blobs", features=names)

    return make
