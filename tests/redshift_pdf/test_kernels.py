"""Compiled code is kept where it can be, and never longer than its sources."""

import subprocess
import sys

import numpy as np
from numba.core.dispatcher import Dispatcher
from scipy.special import erf

from sdssflow.redshift_pdf import best, integrals, kernels, modes, quantiles


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


def test_what_compiled_functions_call_is_merged_into_them():
    """Else results would depend, in the last digit, on what a process took from the cache."""
    known = {
        name: function
        for module in (best, integrals, kernels, modes, quantiles)
        for name, function in vars(module).items()
        if isinstance(function, Dispatcher)
    }
    called = {name for each in known.values() for name in each.py_func.__code__.co_names} & {*known}
    assert {"at", "bell"} <= called < {*known}
    assert all(known[name].targetoptions.get("forceinline") for name in called)


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
