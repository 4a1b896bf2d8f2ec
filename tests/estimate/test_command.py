"""`make estimate`: columns recognised by their names, and what is asked rather than guessed."""

import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from sdssflow import bundle
from sdssflow.acquire.schema import BANDS
from sdssflow.acquire.usual_names import UnclearError
from sdssflow.configuration.reading import ConfigurationError
from sdssflow.estimate import command
from sdssflow.estimate.guessing import guess
from tests.estimate.conftest import sky, without_truth
from tests.estimate.test_bundle import same


def renamed(table, pattern, dust="extinction_{}"):
    """Return a table whose magnitudes have other names."""
    names = {f"model_mag_{band}": pattern.format(band) for band in BANDS}
    names |= {f"extinction_{band}": dust.format(band) for band in BANDS}
    return table.rename_columns([names.get(name, name) for name in table.column_names])


@pytest.fixture(scope="module")
def given():
    return without_truth(sky(50, seed=9))


@pytest.mark.parametrize("pattern", ["{}", "modelMag_{}", "model_mag_{}", "mag_{}", "ModelMag{}"])
@pytest.mark.parametrize("dust", ["extinction_{}", "EXTINCTION_{}", "A_{}"])
def test_usual_names_are_recognised(given, models, pattern, dust):
    table = renamed(given, pattern, dust)
    found = guess(table.column_names, [model.manifest for model in models])
    assert found.columns["model_mag_u"] == pattern.format("u")
    assert found.columns["extinction_z"] == dust.format("z")
    assert found.columns["objid"] == "objid"
    assert not found.extinction_applied


def test_corrected_magnitudes_are_told_by_their_names(given, models):
    names = [*(f"dered_{band}" for band in BANDS), *(f"modelMag_{band}" for band in BANDS), "ra"]
    found = guess(names, [model.manifest for model in models])
    assert found.extinction_applied
    assert found.columns == {f"model_mag_{band}": f"dered_{band}" for band in BANDS}


@pytest.mark.parametrize(
    ("names", "stated", "words"),
    [
        ([*BANDS], None, "--extinction corrected or --extinction raw"),
        ([*"ugri", "extinction_r"], None, "no column of the file is certainly model_mag_z"),
        ([*BANDS, "modelMag_u", "extinction_r"], None, "certainly model_mag_u"),
        ([f"psfMag_{band}" for band in BANDS], None, "certainly model_mag_u"),
        ([f"flux_{band}" for band in BANDS], True, "certainly model_mag_u"),
        ([f"dered_{band}" for band in BANDS], False, "say that magnitudes are corrected"),
    ],
)
def test_what_would_be_a_guess_is_asked(models, names, stated, words):
    with pytest.raises(UnclearError, match=words) as caught:
        guess(names, [models[1].manifest], stated)
    assert "\n" not in str(caught.value)


def test_a_table_gets_its_estimates_and_the_user_the_mapping(
    tmp_path, given, redshifts, classes, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    renamed(given, "modelMag_{}").to_pandas().to_csv("my.csv", index=False)
    command.main(["my.csv", str(redshifts), str(classes)])
    said = capsys.readouterr().out
    assert "model_mag_u        modelMag_u" in said
    assert "with p(z)                                        50" in said
    found = pq.read_table("my_estimates.parquet")
    for path in (redshifts, classes):
        wanted = bundle.load(path).estimate(given, extinction_applied=False)
        same(wanted.drop_columns(["objid", "ra", "dec"]), found, 1e-5)


def test_a_map_names_what_no_name_says(tmp_path, given, redshifts, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pq.write_table(renamed(given, "first_{}"), "my.parquet")
    with pytest.raises(SystemExit, match="certainly model_mag_u"):
        command.main(["my.parquet", str(redshifts)])
    (tmp_path / "map.yaml").write_text("".join(f"model_mag_{b}: first_{b}\n" for b in BANDS))
    command.main(["my.parquet", str(redshifts), "--columns", "map.yaml", "--output", "e.parquet"])
    assert pq.read_table("e.parquet").num_rows == 50


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.csv"], "no such file"),
        (["my.csv", "--output", "my.csv"], "is the input table"),
        (["my.csv", "--output", "mine.fits"], "mine.fits: the output is Parquet"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    tmp_path, given, redshifts, arguments, words, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    renamed(given, "modelMag_{}").to_pandas().to_csv("my.csv", index=False)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SystemExit, match=words):
        command.main([arguments[0], str(redshifts), *arguments[1:]])
    with pytest.raises(ConfigurationError, match="none.yaml"):
        command.main(["my.csv", str(redshifts), "--columns", "none.yaml"])
    assert sorted(tmp_path.iterdir()) == before


def test_a_map_says_more_of_the_file(tmp_path, given, redshifts, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table = Table(given.to_pydict())
    other = table[:20]
    hdus = [fits.BinTableHDU(its, name=name) for its, name in ((table, "ALL"), (other, "SOME"))]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto("my.fits")
    with pytest.raises(SystemExit, match=r"2 tables of the file.*ALL, SOME.*source: \{KEY: VALUE"):
        command.main(["my.fits", str(redshifts)])
    (tmp_path / "map.yaml").write_text("source: {table: SOME, units: {ra: deg}}\n")
    command.main(["my.fits", str(redshifts), "--columns", "map.yaml", "--output", "e.parquet"])
    assert pq.read_table("e.parquet").num_rows == 20
    for text, words in (
        ("source: {tabel: SOME}", "no key 'tabel'"),
        ("source: SOME", "expected keys and values"),
        ("source: {table: SOME, units: 3}", "source.units: Input should be a valid dictionary"),
        ("psf_mag_u: model_mag_err_u", "column psf_mag_u is not needed here"),
    ):
        (tmp_path / "map.yaml").write_text(text)
        with pytest.raises(SystemExit, match=words):
            command.main(["my.fits", str(redshifts), "--columns", "map.yaml"])


def test_what_was_wrong_with_values_is_said(tmp_path, given, redshifts, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frame = given.to_pandas()
    frame.loc[3, "model_mag_g"], frame.loc[5, "model_mag_g"] = -9999, 0
    frame.loc[:9, "objid"] = 0
    frame.to_csv("my.csv", index=False)
    command.main(["my.csv", str(redshifts)])
    said = " ".join(capsys.readouterr().out.split())
    assert "model_mag_g: sentinel -9999 1 set to null, e.g. in row 3" in said
    assert "model_mag_g: out of range 1 set to null, e.g. in row 5" in said
    assert "objid: no id 10 set to null, e.g. in row 0" in said


def test_a_folder_is_no_table(tmp_path, redshifts):
    with pytest.raises(SystemExit, match="is a folder: give one of its files"):
        command.main([str(tmp_path), str(redshifts)])
