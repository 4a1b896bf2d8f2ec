"""Compiled code is kept where it can be, and never longer than its sources."""

import subprocess
import sys

import numpy as np
from scipy.special import erf

from sdssflow.redshift_pdf import kernels


def test_compiled_code_is_kept_by_the_digest_of_all_sources(tmp_path):
    here, user = tmp_path / "package", tmp_path / "user"
    here.mkdir()
    (here / "one.py").write_text("a = 1")
    first = kernels.cache_folder(here, user)
    assert first == kernels.cache_folder(here, user)
    assert first.startswith(str(here))
    (here / "other.py").write_text("b = 1")
    assert kernels.cache_folder(here, user) != first


def test_compiled_code_of_an_installation_that_may_not_be_written(tmp_path):
    here, user = tmp_path / "package", tmp_path / "user"
    here.mkdir()
    for name in ("__pycache__", "one.py"):
        (here / name).write_text("a = 1")
    assert kernels.cache_folder(here, user).startswith(str(user))
    assert kernels.cache_folder(here, here / "one.py") is None


def test_the_polynomials_are_exp_and_erf():
    u = np.concatenate([np.linspace(-30, 30, 6001), [0.0, 1e-300, -1e-9]])
    bell = np.array([kernels.bell(one) for one in u])
    near = np.abs(u) < 24
    np.testing.assert_allclose(bell[near], np.exp(-(u[near] ** 2)), rtol=2e-13)
    assert np.all(bell[~near] < 1e-250)
    cdf = np.array([kernels.gaussian_cdf(*pair) for pair in zip(u, bell, strict=True)])
    np.testing.assert_allclose(cdf, (1 + erf(u)) / 2, rtol=0, atol=1e-14)


def test_scoring_a_density_waits_for_no_torch():
    code = "import sys, sdssflow.evaluate.pdf_predictions; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
