"""A sample drafted from a table: what the names say is taken, what they leave open is asked."""

import re

import pytest
import yaml

from sdssflow import command
from sdssflow.acquire.files.conform import read_catalogue
from sdssflow.acquire.new_sample import draft
from sdssflow.acquire.usual_names import UnclearError
from sdssflow.configuration.file_sources import FileSource
from sdssflow.configuration.loading import load_sample
from tests.acquire.files.good_table import ROWS, good_frame, write

PLAIN = [*"ugriz", "extinction_r"]
NOTHING = {"zspec": None, "spec_class": None}


@pytest.mark.parametrize("file", ["photo.csv", "photo.fits", "photo.npy"])
def test_a_draft_is_a_sample_whose_table_is_read(file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(good_frame(), tmp_path / file)
    assert command.main(["new", "sample", "mine", file, "--extinction", "raw"]) == 0
    sample = load_sample("config/samples/mine.yaml")
    assert sample.tasks == ["regress", "classify"]
    assert "by_class" in sample.regressors and "ensemble" not in sample.regressors  # of stars too
    cuts = ["complete_photometry", "nonzero_redshift", "unique_objects"]
    assert [cut.cut for cut in sample.cuts] == cuts
    catalogue, _ = read_catalogue(file, sample.source, "mine")
    assert catalogue.num_rows == ROWS
    assert catalogue["zspec"].to_pylist() == good_frame()["redshift"].tolist()
    said = capsys.readouterr().out
    assert "not corrected for Galactic extinction (you say so)" in said
    (advice,) = re.findall(r"source\.(extinction_from: {.*?})", said)
    corrected = sample.source.model_dump() | yaml.safe_load(advice)
    catalogue, _ = read_catalogue(file, FileSource.model_validate(corrected), "mine")
    assert catalogue["extinction_r"].null_count == 0
    assert "zspec              redshift" in said
    assert "Not used: specObjID\n" in said
    assert "'samples=[mine]'" in said


@pytest.mark.parametrize("change", [
    lambda raw: raw.replace(b",", b"  "),
    lambda raw: b"# " + raw.replace(b",", b"   "),
])  # fmt: skip
def test_tables_with_blanks_are_drafted_too(change, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = good_frame().drop(columns="class")
    path = write(frame, tmp_path / "a.csv")
    path.write_bytes(change(path.read_bytes()))
    command.main(["new", "sample", "mine", "a.csv", "--extinction", "raw"])
    catalogue, _ = read_catalogue("a.csv", load_sample("config/samples/mine.yaml").source, "mine")
    assert catalogue["zspec"].to_pylist() == frame["redshift"].tolist()


def test_what_the_reader_would_refuse_is_not_drafted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(good_frame(), tmp_path / "photo.csv")
    for column in ("z", "ra"):
        with pytest.raises(SystemExit, match=r"photo.csv: .*\."):
            arguments = ["--zspec", column, "--extinction", "raw"]
            command.main(["new", "sample", "mine", "photo.csv", *arguments])
    assert not (tmp_path / "config").exists()


@pytest.mark.parametrize(
    ("names", "not_taken"),
    [
        (["AR", "DEC", *"ugriz", "redshift"], "AR"),
        (["AZ", "ALT", *"ugriz", "redshift"], "AZ"),
        ([*"ugriz", *(f"{b}_err" for b in "ugri"), "zErr", "redshift"], "zErr"),
    ],
)
def test_names_that_mean_something_else_are_not_taken(names, not_taken):
    content, _ = draft("mine", "a.csv", names, NOTHING, corrected=False)
    assert not_taken not in content["source"]["columns"].values()


@pytest.mark.parametrize("names", [("alpha", "delta"), ("RA_ICRS", "DE_ICRS"), ("RAdeg", "DEdeg")])
def test_positions_are_known_by_the_names_of_public_tables(names):
    content, _ = draft("mine", "a.csv", [*names, *"ugriz", "redshift"], NOTHING, corrected=False)
    assert [content["source"]["columns"].get(ours) for ours in ("ra", "dec")] == [*names]
    content, _ = draft("mine", "a.csv", [names[0], *"ugriz", "redshift"], NOTHING, corrected=False)
    assert not {"ra", "dec"} & {*content["source"]["columns"]}


def test_nothing_is_written_over_and_no_name_is_made_up(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(good_frame(), tmp_path / "photo.csv")
    command.main(["new", "sample", "mine", "photo.csv", "--extinction", "raw"])
    before = (tmp_path / "config/samples/mine.yaml").read_bytes()
    with pytest.raises(SystemExit, match="exists already"):
        command.main(["new", "sample", "mine", "photo.csv", "--extinction", "corrected"])
    with pytest.raises(SystemExit):
        command.main(["new", "sample", "../mine", "photo.csv", "--extinction", "corrected"])
    assert "is not a valid sample name" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="no such file"):
        command.main(["new", "sample", "other", "none.csv"])
    assert command.main(["new", "target"]) == 2
    assert "sdssflow new sample NAME TABLE" in capsys.readouterr().err
    assert (tmp_path / "config/samples/mine.yaml").read_bytes() == before
    assert [path.name for path in (tmp_path / "config/samples").iterdir()] == ["mine.yaml"]


def test_all_kinds_of_magnitudes_are_mapped_with_their_errors_and_dust():
    names = [f"{kind}Mag{word}_{b}" for kind in ("psf", "model") for word in ("", "Err")
             for b in "ugriz"]  # fmt: skip
    names += [*(f"extinction_{b}" for b in "ugriz"), "z_spec", "class"]
    content, because = draft("mine", "a.fits", names, NOTHING)
    columns = content["source"]["columns"]
    assert columns["model_mag_z"] == "modelMag_z"
    assert columns["psf_mag_err_u"] == "psfMagErr_u"
    assert columns["extinction_g"] == "extinction_g"
    assert columns["zspec"] == "z_spec"
    assert content["features"]["groups"][-1] == "magnitude_errors"
    assert "not corrected" in because and "the file has" in because


def test_a_spectrum_is_told_by_its_plate_and_not_trusted_with_a_warning():
    names = [*PLAIN, "redshift", "zWarning", "plate", "MJD", "fiber_ID"]
    content, _ = draft("mine", "a.csv", names, NOTHING)
    taken = {"z_warning": "zWarning", "plate": "plate", "mjd": "MJD", "fiberid": "fiber_ID"}
    assert taken.items() <= content["source"]["columns"].items()
    assert {"cut": "z_warning"} in content["cuts"]


def test_corrected_magnitudes_are_taken_where_no_raw_ones_are():
    content, because = draft(
        "mine", "a.fits", [*(f"dered_{b}" for b in "ugriz"), "redshift"], NOTHING
    )
    assert content["source"]["extinction_applied"]
    assert content["tasks"] == ["regress"]
    assert "their names say so" in because


@pytest.mark.parametrize(
    ("present", "stated", "words"),
    [
        ([*"ugri", "redshift"], {}, "no kind of magnitude"),
        ([*PLAIN, "mag_z", "redshift"], {}, "no kind of magnitude"),  # z may be either
        (PLAIN, {}, "give --zspec COLUMN or --class COLUMN"),
        ([*PLAIN, "redshift", "zspec"], {}, "give --zspec COLUMN"),  # two of them
        (PLAIN, {"zspec": "zs"}, "no column 'zs'"),
        ([*"ugriz", "redshift"], {}, "--extinction corrected or --extinction raw"),
    ],
)
def test_what_would_be_a_guess_is_asked(present, stated, words):
    with pytest.raises(UnclearError, match=words):
        draft("mine", "a.csv", present, NOTHING | stated)
