from pathlib import Path

import pytest

from sdssflow.files import file_digest
from sdssflow.provenance import records
from sdssflow.provenance.show import main

TABLE = "results/mgs/catalogue/catalogue.csv"
MODEL = "results/mgs/regress/linear/1"


def test_the_way_back_is_printed_from_the_source_to_the_result(run, capsys):
    assert main(["results/report.html"]) == 0
    lines = capsys.readouterr().out.splitlines()
    words = ["data/source.csv", "import_catalogue (sample mgs)", "train_regressor (sample mgs)",
             "build_report (sample mgs)"]  # fmt: skip
    places = [next(i for i, line in enumerate(lines) if line.endswith(word)) for word in words]
    assert places == sorted(places)
    for path in ("data/source.csv", TABLE, "results/report.html"):
        assert any(file_digest(path)[:16] in line and path in line for line in lines)


@pytest.mark.parametrize("name", [MODEL, f"./{MODEL}/", TABLE])
def test_only_what_stands_behind_a_result_is_printed(run, capsys, name):
    assert main([name]) == 0
    out = capsys.readouterr().out
    assert "import_catalogue" in out
    assert "build_report" not in out


@pytest.mark.parametrize("path", [TABLE, f"{MODEL}/model.json", "data/source.csv"])
def test_one_changed_byte_is_noticed(run, capsys, path):
    content = bytearray(Path(path).read_bytes())
    content[0] ^= 1
    Path(path).write_bytes(content)
    assert main(["results/report.html"]) == 1
    out, err = capsys.readouterr()
    assert out.count("CHANGED: now ") == 1
    assert err.startswith(path.removesuffix("/model.json"))


def test_a_file_that_is_gone_is_noticed(run, capsys):
    Path(TABLE).unlink()
    assert main(["results/report.html"]) == 1
    assert f"{TABLE}: missing" in capsys.readouterr().err


def test_a_job_that_read_another_version_is_noticed(run, capsys):
    run["import_catalogue"].write("5\n")
    run["import_catalogue"].record()
    assert main(["results/report.html"]) == 1
    assert "make it again: snakemake --forcerun import_catalogue" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["results/none.csv", "data/source.csv", f"{MODEL}/model.json"])
def test_a_file_without_record_is_an_error_that_says_what_to_do(run, capsys, name):
    assert main([name]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"{name}: no record says how it was made.")
    assert "snakemake --force" in err


def test_a_broken_record_is_an_error(run, capsys):
    Path("results/provenance/import_catalogue/mgs.json").write_text("{")
    assert main(["results/report.html"]) == 2
    assert "results/provenance/import_catalogue/mgs.json: this record can't be read" in (
        capsys.readouterr().err
    )


def test_another_version_of_a_package_is_noticed(run, capsys, monkeypatch):
    monkeypatch.setattr(records, "version", lambda package: f"{package}-9")
    assert main(["--quiet", "results/report.html"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "numpy: 3 jobs used" in err
    assert "snakemake --forceall" in err


def test_quiet_says_that_all_is_well_in_one_line(run, capsys):
    assert main(["--quiet", "results/report.html"]) == 0
    assert capsys.readouterr().out.count("\n") == 1
