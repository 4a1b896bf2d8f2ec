"""Files of densities: as qp reads them, in blocks, to the byte, whole or not at all."""

import time

import numpy as np
import pytest

from sdssflow.redshift_pdf.qp_files import Quantiles, file_levels, pdf_writer, read_pdfs
from tests.redshift_pdf import mixtures
from tests.redshift_pdf.mixtures import write_pdfs

PDF = mixtures.galaxies(50)
ANCIL = {"row_id": np.arange(50) + 2**40, "seed": np.ones(50, dtype=np.int32)}


def test_what_is_read_is_what_was_written(tmp_path):
    write_pdfs(tmp_path / "pdfs.hdf5", 99, (PDF, ANCIL))
    quantiles, ancil = read_pdfs(tmp_path / "pdfs.hdf5")
    np.testing.assert_allclose(quantiles.redshifts, PDF.quantiles(quantiles.levels), atol=1e-7)
    assert list(ancil) == list(ANCIL)
    for name, values in ANCIL.items():
        np.testing.assert_array_equal(ancil[name], values)
        assert ancil[name].dtype == values.dtype


def test_the_cdf_between_quantiles_is_near_and_bounded(tmp_path):
    write_pdfs(tmp_path / "pdfs.hdf5", 99, (PDF, {}))
    quantiles, _ = read_pdfs(tmp_path / "pdfs.hdf5")
    z = np.linspace(-0.2, 1.2, 500)
    np.testing.assert_allclose(quantiles.cdf(z), PDF.cdf(np.tile(z, (50, 1))), atol=2e-3)
    assert np.all(quantiles.cdf(np.array([-0.1, 0.0])) == 0)
    assert np.all(quantiles.cdf(np.array([1.0, 1.1])) == 1)
    edges = np.array([-0.5, 0.0, 0.2, 0.25, 1.0])
    densities = quantiles.bin_densities(edges)
    assert np.all(densities[:, 0] == 0)
    np.testing.assert_allclose(densities @ np.diff(edges), 1)


def test_blocks_make_the_same_file_to_the_byte(tmp_path):
    write_pdfs(tmp_path / "whole.hdf5", 20, (PDF, ANCIL))
    before = int(time.time())
    while int(time.time()) == before:  # HDF5's time stamps are seconds
        time.sleep(0.01)
    write_pdfs(tmp_path / "again.hdf5", 20, (PDF, ANCIL))
    whole = (tmp_path / "whole.hdf5").read_bytes()
    assert (tmp_path / "again.hdf5").read_bytes() == whole
    rows = [slice(0, 20), slice(20, 50)]
    blocks = ((PDF[some], {key: values[some] for key, values in ANCIL.items()}) for some in rows)
    write_pdfs(tmp_path / "blocks.hdf5", 20, *blocks)
    first, second = (read_pdfs(tmp_path / f"{name}.hdf5") for name in ("whole", "blocks"))
    np.testing.assert_array_equal(first[0].redshifts, second[0].redshifts)
    np.testing.assert_array_equal(first[1]["row_id"], second[1]["row_id"])


def test_a_writer_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "pdfs.hdf5"
    path.write_text("before")
    with pytest.raises(RuntimeError), pdf_writer(path, 20) as write:
        write(PDF, {})
        raise RuntimeError
    with pytest.raises(ValueError, match="no block"):
        write_pdfs(path, 20)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["pdfs.hdf5"]
    with pytest.raises(ValueError, match="pdfs.hdf5: not a file of redshift densities"):
        read_pdfs(path)


@pytest.mark.parametrize("wrong", [np.zeros(49), np.zeros((50, 2)), np.array(["a"] * 50)])
def test_ancillary_arrays_are_one_number_an_object(tmp_path, wrong):
    with pytest.raises(ValueError, match="'seed' .* must be .50,. numbers"):
        write_pdfs(tmp_path / "pdfs.hdf5", 20, (PDF, {"seed": wrong}))


def test_blocks_have_the_same_ancillary_arrays(tmp_path):
    with pytest.raises(ValueError, match="ancillary arrays"):
        write_pdfs(tmp_path / "pdfs.hdf5", 20, (PDF, {}), (PDF, ANCIL))
    whole, halves = np.zeros(50, int), np.full(50, 0.5)  # in a dataset of integers 0.5 would be 0
    with pytest.raises(ValueError, match="float64.*int64"):
        write_pdfs(tmp_path / "pdfs.hdf5", 20, (PDF, {"weight": whole}), (PDF, {"weight": halves}))


def test_levels_ascend_from_0_to_1():
    for levels in (9, 99, 999):
        assert np.all(np.diff(file_levels(levels)) > 0)
        assert file_levels(levels)[[0, -1]].tolist() == [0, 1]


def test_cdf_of_straight_lines():
    quantiles = Quantiles(np.array([0.0, 0.5, 1.0]), np.array([[0.0, 1.0, 3.0]]))
    assert quantiles.cdf(np.array([0.5, 2.0])).tolist() == [[0.25, 0.75]]


def test_qp_reads_the_same_densities(tmp_path):
    qp = pytest.importorskip("qp", reason="pip install qp-prob")
    path = tmp_path / "pdfs.hdf5"
    write_pdfs(path, 99, (PDF, ANCIL))
    ensemble = qp.read(str(path))
    z = np.linspace(-0.2, 1.2, 701)
    np.testing.assert_allclose(ensemble.cdf(z), PDF.cdf(np.tile(z, (50, 1))), atol=2e-3)
    np.testing.assert_allclose(ensemble.median()[:, 0], PDF.quantiles([0.5])[:, 0], atol=1e-6)
    assert np.all(ensemble.pdf(np.array([-0.1, -1e-6])) == 0)
    density = PDF.density(np.tile(z, (50, 1)))
    within = np.abs(ensemble.pdf(z) - density) <= 0.15 * density.max(axis=1, keepdims=True)
    assert within.mean() > 0.99
    np.testing.assert_array_equal(ensemble.ancil["row_id"], ANCIL["row_id"])
