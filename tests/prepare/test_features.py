import numpy as np
import pytest
from pydantic import ValidationError

from sdssflow.acquire.schema import BANDS, COLUMNS
from sdssflow.configuration.features import LEAKS, Features
from sdssflow.prepare.columns import MissingColumnError
from sdssflow.prepare.feature_columns import Feature, bands_of
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
    return make_catalogue(**{**extra, "petro_rad_r": np.full(200, 3.0), **changed})


@pytest.mark.parametrize("band", BANDS)
def test_a_feature_says_all_the_bands_it_is_made_of(band):
    catalogue, settings = with_everything(), Features(groups=list(GROUPS))
    changed = {
        name: 1.5 * column(catalogue, name) + place
        for place, name in enumerate(catalogue.column_names)
        if name.endswith(f"_{band}") and not name.startswith("extinction")
    }
    before = build_features(catalogue, settings)
    after = build_features(with_everything(**changed), settings)
    names = metadata(before.schema)["features"]
    made_of = bands_of(names)[BANDS.index(band)]
    found = [not (column(before, name) == column(after, name)).all() for name in names]
    assert found == made_of.tolist()
    assert sum(found) >= 8


@pytest.mark.parametrize(
    "feature",
    [Feature("u_minus_r", "color", "ur"), Feature("psf_mag", "other", "r"),
     Feature("sky", "magnitude", "u"), Feature("sky_u", "other", "")],
)  # fmt: skip
def test_a_name_that_says_something_else_than_was_declared_is_refused(feature):
    with pytest.raises(ValueError, match="which reads as"):
        feature.name  # noqa: B018


def test_every_group_builds_and_none_leaks():
    table = build_features(with_everything(), Features(groups=list(GROUPS)))
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


def test_features_do_not_depend_on_the_rows_around_them():
    catalogue = make_catalogue()
    whole = build_features(catalogue, Features())
    part = build_features(catalogue.slice(50, 20), Features())
    assert part.equals(whole.slice(50, 20))
