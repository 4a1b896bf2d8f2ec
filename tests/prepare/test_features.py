import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from sdssflow.acquire.schema import BANDS, COLUMNS, Column, field
from sdssflow.configuration.cuts import CompleteColumns
from sdssflow.configuration.features import Features
from sdssflow.configuration.leaks import LEAKS
from sdssflow.prepare.columns import MissingColumnError
from sdssflow.prepare.cuts import apply_cuts
from sdssflow.prepare.feature_columns import Feature, bands_among, bands_of
from sdssflow.prepare.features import GROUPS, build_features, refuse_leaks
from sdssflow.tables import metadata, with_metadata
from tests.prepare.catalogues import make_catalogue


def column(table, name):
    return table.column(name).to_numpy()


def test_colors_and_reference_magnitude():
    catalogue = make_catalogue()
    table = build_features(catalogue, Features())
    assert metadata(table.schema)["features"] == [
        "model_color_ug", "model_color_gr", "model_color_ri", "model_color_iz", "model_mag_r",
    ]  # fmt: skip
    expected = column(catalogue, "model_mag_u").astype(float) - column(catalogue, "model_mag_g")
    assert column(table, "model_color_ug") == pytest.approx(expected)
    assert column(table, "reference_mag") == pytest.approx(column(catalogue, "model_mag_r"))


def test_extinction_known_in_r_alone_reddens_every_colour():
    red = make_catalogue(extinction_r=np.full(200, 0.2))
    plain = build_features(red, Features(deredden=False))
    clean = build_features(red, Features())
    assert metadata(clean.schema)["deredden"] == "applied here"
    assert metadata(plain.schema)["deredden"] == "no"
    assert column(clean, "model_mag_r") == pytest.approx(column(plain, "model_mag_r") - 0.2)
    shift = column(plain, "model_color_ug") - column(clean, "model_color_ug")
    assert shift == pytest.approx(0.2 * (5.155 - 3.793) / 2.751, abs=1e-6)


def test_extinction_is_not_subtracted_twice():
    catalogue = with_metadata(
        make_catalogue(extinction_r=np.full(200, 0.2)), extinction_applied=True
    )
    table = build_features(catalogue, Features())
    assert metadata(table.schema)["deredden"] == "applied in source"
    assert column(table, "model_mag_r") == pytest.approx(column(catalogue, "model_mag_r"))


def test_psf_minus_model_does_not_feel_extinction():
    psf = {f"psf_mag_{band}": np.full(200, 19.0) for band in BANDS}
    settings = Features(groups=["psf_minus_model"])
    plain = build_features(make_catalogue(**psf), settings)
    red = build_features(make_catalogue(**psf, extinction_r=np.full(200, 0.5)), settings)
    for name in metadata(plain.schema)["features"]:
        assert (column(plain, name) == column(red, name)).all()


def test_resolved_is_how_far_apart_psf_and_cmodel_are_in_r_whatever_the_extinction():
    psf, cmodel = np.full(200, 19.0), np.full(200, 18.25)
    cmodel[3] = 19.125  # noise: the model can be fainter than the point
    cmodel[4] = np.nan
    columns = {"psf_mag_r": psf, "cmodel_mag_r": cmodel, "extinction_r": np.full(200, 0.5)}
    table = build_features(make_catalogue(**columns), Features(groups=["resolved"]))
    assert metadata(table.schema)["features"] == ["resolved_r"]
    resolved = table.column("resolved_r").to_pylist()
    assert resolved[:5] == [0.75, 0.75, 0.75, 0.125, None]


def test_missing_magnitudes_become_null_features_of_that_band_alone():
    magnitude = np.full(200, 18.0)
    magnitude[7] = np.nan
    table = build_features(make_catalogue(model_mag_u=magnitude), Features())
    assert table.column("model_color_ug").null_count == 1
    assert table.column("model_color_gr").null_count == 0


def with_everything(**changed):
    """Return a catalogue from which all groups can be built."""
    extra = {
        f"{kind}_mag_{band}": np.full(200, 19.0)
        for kind in ("psf", "petro", "cmodel")
        for band in BANDS
    }
    sizes = {"petro_rad_r": 3.0, "petro_r50_r": 1.0, "petro_r90_r": 2.5}
    shapes = {"axis_ratio_dev_r": 0.5, "axis_ratio_exp_r": 0.6, "frac_dev_r": 0.25}
    infrared = {f"wise_mag_w{k}": 14.0 - k for k in (1, 2, 3, 4)} | {"galex_mag_nuv": 20.0}
    infrared |= {f"wise_mag_err_w{k}": 0.1 for k in (1, 2, 3, 4)}
    extra |= {name: np.full(200, value) for name, value in (sizes | shapes | infrared).items()}
    return make_catalogue(**{**extra, **changed})


EVERYTHING = Features(groups=list(GROUPS), extra=["galex_mag_nuv", "wise_mag_err_w1"])


@pytest.mark.parametrize("band", [*BANDS, "w1", "w2", "w3", "w4", "nuv"])
def test_a_feature_says_all_the_bands_it_is_made_of(band):
    catalogue, settings = with_everything(), EVERYTHING
    changed = {
        name: (1.5 if name.startswith(("model", "psf", "petro_m", "cm")) else 1.01)
        * column(catalogue, name) + 0.001 * place
        for place, name in enumerate(catalogue.column_names)
        if name.endswith(f"_{band}") and not name.startswith("extinction")
    }  # fmt: skip
    if band.startswith("w"):
        changed[f"wise_mag_err_{band}"][0] = np.nan  # a limit
    before = build_features(catalogue, settings)
    after = build_features(with_everything(**changed), settings)
    names = metadata(before.schema)["features"]
    made_of = bands_of(names)[bands_among(names).index(band)]
    found = [not (column(before, name) == column(after, name)).all() for name in names]
    assert found == made_of.tolist()
    assert sum(found) >= (8 if band in BANDS else 1)


@pytest.mark.parametrize(
    "feature",
    [Feature("u_minus_r", "color", ("u", "r")), Feature("psf_mag", "other", ("r",)),
     Feature("sky", "magnitude", ("u",)), Feature("sky_u", "other"), Feature("sky_w1", "other")],
)  # fmt: skip
def test_a_name_that_says_something_else_than_was_declared_is_refused(feature):
    with pytest.raises(ValueError, match="which reads as"):
        feature.name  # noqa: B018


def test_every_group_builds_and_none_leaks():
    table = build_features(with_everything(), EVERYTHING)
    names = metadata(table.schema)["features"]
    assert len(set(names)) == len(names)
    forbidden = set(COLUMNS) & {
        "zspec", "zspec_err", "z_warning", "spec_class", "objid", "specobjid", "ra", "dec", "run",
        "rerun", "camcol", "field", "plate", "mjd", "fiberid", "row_id", "published_part",
    }  # fmt: skip
    assert not forbidden & set(names)


@pytest.mark.parametrize("name", [*LEAKS, "z_warning", "spec_class", "REDSHIFT"])
def test_a_configuration_that_names_a_leak_is_refused_with_the_reason(name):
    with pytest.raises(ValidationError, match="can't be a feature: "):
        Features(groups=["colors", name])


@pytest.mark.parametrize("name", ["zspec", "plate", "model_color_plate", "log_redshift"])
def test_a_leak_is_refused_again_before_writing(name):
    with pytest.raises(ValueError, match=f"feature '{name}' is refused"):
        refuse_leaks([name])


def test_a_group_that_needs_missing_columns_names_both():
    with pytest.raises(
        MissingColumnError, match=r"features.groups: psf_minus_model needs the column 'psf_mag_u'"
    ):
        build_features(make_catalogue(), Features(groups=["psf_minus_model"]))


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_needs_the_columns_that_it_says_and_no_others(group):
    settings = Features(groups=[group], extra=["galex_mag_nuv"] if group == "extra" else [])
    needed = {name for names in settings.needs.values() for name in names}
    catalogue = with_everything().select(["row_id", *needed])
    build_features(catalogue, settings)
    for name in needed:
        with pytest.raises(MissingColumnError, match=name):
            build_features(catalogue.drop_columns(name), settings)


def test_features_do_not_depend_on_the_rows_around_them():
    catalogue = make_catalogue()
    whole = build_features(catalogue, Features())
    part = build_features(catalogue.slice(50, 20), Features())
    assert part.equals(whole.slice(50, 20))


def test_concentration_is_the_ratio_of_radii_and_unknown_without_one():
    r50 = np.full(200, 2.0)
    r50[:2] = [0.0, np.nan]
    catalogue = make_catalogue(petro_r50_r=r50, petro_r90_r=np.full(200, 5.0))
    table = build_features(catalogue, Features(groups=["colors", "concentration"]))
    assert table["concentration_r"].to_pylist()[:3] == [None, None, 2.5]


def wise(**changed):
    columns = {f"wise_mag_w{k}": np.full(200, 14.0 - k) for k in (1, 2, 3, 4)}
    columns |= {f"wise_mag_err_w{k}": np.full(200, 0.1) for k in (1, 2, 3, 4)}
    columns["wise_mag_w4"][:2], columns["wise_mag_err_w4"][:3] = [np.nan, np.nan], np.nan
    return make_catalogue(**{**columns, **changed})


def test_not_observed_and_not_detected_are_different_inputs():
    table = build_features(wise(), Features(groups=["wise_colors"]))
    assert metadata(table.schema)["features"] == [
        *("model_color_rw1", "wise_color_w1w2", "wise_color_w2w3", "wise_color_w3w4"),
        *(f"wise_mag_not_detected_w{k}" for k in (1, 2, 3, 4)),
    ]
    # two objects nobody looked at, then a limit, then magnitudes
    assert table["wise_color_w3w4"].to_pylist()[:4] == [None, None, None, 1.0]
    assert table["wise_mag_not_detected_w4"].to_pylist()[:4] == [None, None, 1.0, 0.0]
    assert table["wise_mag_not_detected_w1"].null_count == 0
    red = build_features(wise(extinction_r=np.full(200, 0.5)), Features(groups=["wise_colors"]))
    shift = column(table, "model_color_rw1") - column(red, "model_color_rw1")
    assert shift == pytest.approx(0.5)  # of r alone


def test_without_errors_nothing_says_that_a_magnitude_is_a_limit():
    catalogue = wise().drop_columns([f"wise_mag_err_w{k}" for k in (1, 2, 3, 4)])
    table = build_features(catalogue, Features(groups=["wise_colors"]))
    assert metadata(table.schema)["features"][-1] == "wise_color_w3w4"
    assert table["wise_color_w3w4"].to_pylist()[:3] == [None, None, 1.0]


def declared(missing, **more):
    return Column(pa.float64(), "mas", None, None, "a parallax", missing, **more)


def with_declared(name, values, about):
    catalogue = make_catalogue()
    return catalogue.append_column(field(name, {name: about}), pa.array(values, from_pandas=True))


def test_a_declared_column_is_a_feature_and_its_gaps_are_what_was_declared():
    values = np.linspace(1, 2, 200)[np.random.default_rng(3).permutation(200)]
    values[:3] = np.nan
    settings = Features(groups=["colors", "extra"], extra=["parallax"])
    for missing, flags in (("not_observed", []), ("not_detected", ["parallax_not_detected"])):
        catalogue = with_declared("parallax", values, declared(missing))
        table = build_features(catalogue, settings)
        assert metadata(table.schema)["features"][4:] == ["parallax", *flags]
        assert table["parallax"].null_count == 3
    assert table["parallax_not_detected"].to_pylist()[:4] == [1.0, 1.0, 1.0, 0.0]


def test_a_column_that_says_nothing_of_its_gaps_is_no_feature():
    catalogue = make_catalogue().append_column("parallax", pa.array(np.ones(200)))
    with pytest.raises(ValueError, match="the meaning of a missing value of 'parallax'"):
        build_features(catalogue, Features(groups=["extra"], extra=["parallax"]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"groups": ["extra"]}, "the group extra and the list extra go together"),
        ({"extra": ["parallax"]}, "the group extra and the list extra go together"),
        ({"groups": ["extra"], "extra": ["log_zspec"]}, "'log_zspec' can't be a feature: the red"),
        ({"groups": ["extra"], "extra": ["plate_code"]}, "'plate_code' can't be a feature: target"),
    ],
)
def test_extra_columns_that_can_not_be(settings, message):
    with pytest.raises(ValidationError, match=message):
        Features(**settings)


def test_a_model_that_takes_no_gaps_can_be_given_objects_without_any():
    kept, flow = apply_cuts(
        wise(), [CompleteColumns(cut="complete_columns", columns=["wise_mag_w3", "wise_mag_w4"])]
    )
    assert kept.num_rows == 197
    assert flow["description"].iloc[1] == "measured: wise_mag_w3, wise_mag_w4"
    table = build_features(kept, Features(groups=["wise_colors"]))
    assert sum(table[name].null_count for name in metadata(table.schema)["features"]) == 0
