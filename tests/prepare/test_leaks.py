"""Columns that hold the truth under another name are refused; what says nearly all is told."""

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from sdssflow.acquire.schema import Column, field
from sdssflow.configuration.features import Features
from sdssflow.configuration.leaks import leak_of
from sdssflow.configuration.selection import PHOTOZ
from sdssflow.prepare.features import build_features
from sdssflow.prepare.leaks import evenly, refuse_copies, single_feature_scores
from tests.prepare.catalogues import make_catalogue

N = 300
CATALOGUE = make_catalogue(N, z_warning=np.arange(N) % 7 // 5 * 4, fiberid=np.arange(N) % 40 + 1)
ZSPEC = CATALOGUE["zspec"].to_numpy()
CLASS = CATALOGUE["spec_class"].to_numpy()
PLATE = CATALOGUE["plate"].to_numpy()
DRAW = np.random.default_rng(5)
CODE = np.select([CLASS == "QSO", CLASS == "STAR"], [7.0, 1.0], 3.0)
GAPS = np.where(np.arange(N) % 3 == 0, np.nan, 1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (ZSPEC, r"it is a copy of, or rises with, 'zspec' \(the redshift is the quantity to learn"),
        (ZSPEC * GAPS, "rises with, 'zspec'"),
        (ZSPEC.astype(np.float32), "rises with, 'zspec'"),
        (np.log10(1 + ZSPEC) * 300, "rises with, 'zspec'"),
        (np.round(ZSPEC, 2), "rises with, 'zspec'"),
        (1 / (1 + ZSPEC), "it falls with 'zspec'"),
        (CODE, "it has one value for each value of 'spec_class' .*the class is the quantity to"),
        ((CLASS == "QSO") * 1.0, "it has one value for each value of 'spec_class'"),
        (CODE * 10 + DRAW.integers(0, 2, N), "it is a code of 'spec_class'"),
        (PLATE * 1.0, "'plate' .*targets of a class share plates"),
        (PLATE * 7 % 5 * 1.0, "it has one value for each value of 'plate'"),
        (CATALOGUE["fiberid"].to_numpy() * 2.0, "'fiberid' .*fibres are plugged"),
        (CATALOGUE["z_warning"].to_numpy() > 0, "'z_warning' .*set by the spectroscopic pipeline"),
        (CATALOGUE["ra"].to_numpy() - 180, "'ra' .*positions identify survey stripes"),
    ],
)
def test_a_copy_or_code_of_what_can_not_be_a_feature_is_refused(values, message):
    with pytest.raises(ValueError, match=f"feature 'g_flux' is refused: .*{message}"):
        refuse_copies({"g_flux": np.asarray(values, dtype=float)}, CATALOGUE)


@pytest.mark.parametrize(
    "values",
    [
        ZSPEC + DRAW.normal(0, 0.002, N),  # good, and no copy
        CODE + DRAW.normal(0, 0.3, N),
        np.where(CLASS == "QSO", 1.0, DRAW.integers(0, 2, N)),
        DRAW.integers(0, 2, N) * 1.0,
        np.ones(N),
        np.full(N, np.nan),
        np.where(np.arange(N) == np.argmax(ZSPEC), 1.0, 0.0),  # one object, by chance the farthest
    ],
)
def test_what_is_no_copy_is_let_through(values):
    refuse_copies({"feature": values}, CATALOGUE)


def test_few_rows_prove_nothing():
    refuse_copies({"feature": ZSPEC[:10]}, CATALOGUE.slice(0, 10))


def test_features_of_a_sample_are_looked_at():
    about = Column(pa.float64(), "", None, None, "a flux", "not_observed")
    given = pa.array(-np.log(ZSPEC))
    catalogue = CATALOGUE.append_column(field("flux", {"flux": about}), given)
    with pytest.raises(ValueError, match="feature 'flux' is refused: it falls with 'zspec'"):
        build_features(catalogue, Features(groups=["colors", "extra"], extra=["flux"]))


def test_a_feature_that_says_nearly_everything_is_told_and_not_refused():
    features = {
        "redshift_like": ZSPEC + DRAW.normal(0, 0.002, N),
        "class_like": np.where(CLASS == "STAR", 2.0, 0.0) + DRAW.normal(0, 0.1, N),
        "gaps": np.where(CLASS == "GALAXY", np.nan, DRAW.normal(size=N)),
        "noise": DRAW.normal(size=N),
    }
    refuse_copies(features, CATALOGUE)
    table = single_feature_scores(features, CATALOGUE).set_index("feature")
    assert table["remark"].tolist() == [
        "r2 above 0.9: is it a measurement?", "auc above 0.99: is it a measurement?",
        "auc_missing above 0.99: is it a measurement?", "",
    ]  # fmt: skip
    assert table.loc["class_like", "of_class"] == "STAR"
    assert table.loc["gaps", "known"] == pytest.approx((CLASS != "GALAXY").mean())
    assert table.loc["noise", "auc"] < 0.6 and table.loc["noise", "r2"] < 0.05


def test_a_sample_without_classes_or_redshifts_has_no_such_scores():
    features = {"noise": DRAW.normal(size=N)}
    table = single_feature_scores(features, CATALOGUE.drop_columns(["zspec", "spec_class"]))
    assert table[["auc", "auc_missing", "r2"]].isna().all(axis=None)
    assert len(evenly(10**6)) == 20_000


def test_areas_are_those_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    values = DRAW.integers(0, 9, N) + 3 * (CLASS == "QSO")
    table = single_feature_scores({"x": values.astype(float)}, CATALOGUE)
    area = roc_auc_score(CLASS == "QSO", values)
    assert (table["of_class"][0], table["auc"][0]) == ("QSO", pytest.approx(area))


@pytest.mark.parametrize("name", PHOTOZ)
def test_redshifts_of_sdss_are_no_features(name):
    with pytest.raises(ValidationError, match=f"'{name}' can't be a feature: SDSS fitted it to"):
        Features(groups=["colors", "extra"], extra=[name])
    values = DRAW.permutation(N).astype(float)
    with pytest.raises(ValueError, match=f"'x' is refused: it .* '{name}' .SDSS fitted it"):
        refuse_copies({"x": values}, pa.table({name: values}))


@pytest.mark.parametrize("name", [
    "zWarning", "Z", "specObjID", "fiberID", "Z_SPEC", "bestObjID", "zErr", "z_noqso", "Z_PIPE",
    "zErr_noqso", "zWarning_noqso", "subClass_noqso", "PLATEID_2", "specz_best",
])  # fmt: skip
def test_names_of_surveys_are_known(name):
    assert leak_of(name)


@pytest.mark.parametrize("name", ["petroR90_r", "zphot", "photoz_err", "fiber_mag_r", "err_z"])
def test_photometry_is_no_leak_by_its_name(name):
    assert leak_of(name) is None
