"""Two finished runs in small, compared by the command."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from sdssflow.command import main
from sdssflow.configuration.run import RunConfiguration
from sdssflow.files import file_digest
from sdssflow.report.compare import compare_runs, flat, read_run
from sdssflow.tables import with_metadata, write_parquet
from tests.evaluate.test_paired_runs import predictions
from tests.report.test_pages import parse, text_of

PLACE = "mgs/regress/published"


def write_run(folder, noise=0.02, modules="a" * 64, digest="d1", group=None, **settings):
    """Write what the comparison reads of a run: crate, configuration, records, predictions."""
    results = folder / "results"
    regressors = {"linear": {"kind": "linear"}}
    needed = {"samples": ["mgs"], "seeds": [1], "classifiers": {}, "regressors": regressors}
    run = RunConfiguration.model_validate(needed | settings)
    used = {"run": run.model_dump(mode="json"), "samples": {}, "targets": {}}
    write(results / "workflow/configuration.json", used)
    for rule, code in (("score_redshifts", modules), ("split_sample", "same")):
        record = {"rule": rule, "inputs": {}, "outputs": {}, "log": "", "code": {"modules": code}}
        record["environment"] = {"python": "3.12", "packages": {"numpy": "2.4"}}
        write(results / f"provenance/{rule}/mgs.json", record)
    one = predictions(noise)
    about = {"model": "linear", "test_digests": {"1": "digest"}}
    frame = one.frame if group is None else one.frame.assign(group=group)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    write_parquet(with_metadata(table, **about), results / f"{PLACE}/linear/predictions.parquet")
    rows = with_metadata(pa.table({"row_id": [1]}), data_digest=digest)
    write_parquet(rows, results / "mgs/clean/catalogue.parquet")
    files = [
        {"@id": path.relative_to(results).as_posix(), "sha256": file_digest(path)}
        for path in sorted(results.rglob("*.*"))
    ]
    write(results / "ro-crate-metadata.json", {"@graph": [{"@id": "./"}, *files]})
    return folder


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def tables(sections):
    return {table.title: [[cell.text for cell in row] for row in table.rows]
            for section in sections for table in section.blocks}  # fmt: skip


def test_runs_that_are_alike_differ_in_nothing(tmp_path):
    pair = [read_run(write_run(tmp_path / name)) for name in ("a", "b")]
    sections = compare_runs(*pair)
    found = tables(sections)
    scores = found.pop("mgs, split published: photometric redshifts")
    assert {row[4] for row in scores} == {"0"}
    assert not any(found.values())
    assert sections[0].text[0].startswith("No score of the same objects changed")


def test_what_changed_is_named_with_a_paired_difference(tmp_path, monkeypatch, capsys):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", 0.03, "b" * 64, "d2", bootstrap={"replicates": 100})
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "a", "b/results", "-o", "pages/both.html"]) == 0
    said = capsys.readouterr().out
    assert "mgs, split published: σ_NMAD of linear changed from 0.0" in said
    assert "1 setting differs. 1 program of a rule differs. The versions" in said
    assert "2 tables differ." in said
    found = tables(compare_runs(read_run("a"), read_run("b")))
    assert found["Settings that differ"] == [["run.bootstrap.replicates", "200", "100"]]
    (rule,) = found["Rules whose program differs"]
    assert rule == ["score_redshifts", "1", "1", "a" * 12, "b" * 12]
    assert ["mgs/clean/catalogue.parquet", "d1", "d2"] in found["Tables that differ"]
    page = Path("pages/both.html").read_text(encoding="utf-8")
    assert parse(page)[1] == []
    assert "all rows of both" in text_of(page)
    assert 'href="../a/results/report.html"' in page
    assert str(tmp_path) not in page


def test_a_run_of_another_version_with_other_settings_is_compared(tmp_path):
    pair = [write_run(tmp_path / name) for name in ("a", "b")]
    path = pair[0] / "results/workflow/configuration.json"
    used = json.loads(path.read_text())
    write(path, used | {"run": used["run"] | {"key_of_old": 1}})
    found = tables(compare_runs(*map(read_run, pair)))
    assert found["Settings that differ"] == [["run.key_of_old", "1", "–"]]
    assert found["mgs, split published: photometric redshifts"]


def test_without_objects_in_common_there_is_no_difference_but_a_word(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", group="another")
    sections = compare_runs(*(read_run(tmp_path / name) for name in ("a", "b")))
    (row,) = tables(sections)["mgs, split published: photometric redshifts"]
    assert row[1] == "no test object in common"
    (said, _) = sections[0].text
    assert said == "1 entry of the score tables: no test object in common, nothing is compared."


def test_predictions_that_the_crate_does_not_describe_are_refused(tmp_path, monkeypatch, capsys):
    """As a run leaves them that was killed before it described itself anew."""
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "a")
    write_run(tmp_path / "b")
    path = Path(PLACE) / "linear/predictions.parquet"
    write_run(tmp_path / "new", 0.03)
    (Path("b/results") / path).write_bytes((Path("new/results") / path).read_bytes())
    assert main(["compare", "a", "b"]) == 1
    assert "the results changed after the run ended" in capsys.readouterr().err
    assert main(["compare", "a", "new", "-o", "a"]) == 1
    assert "Is a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("results/ro-crate-metadata.json", "ro-crate-metadata.json: there is no such file"),
        ("results/workflow/configuration.json", "configuration.json: there is no such file"),
        ("results/provenance/split_sample/mgs.json", "this record can't be read"),
    ],
)
def test_a_folder_that_is_no_run_is_refused_in_a_line(tmp_path, monkeypatch, capsys, broken, words):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "a")
    (write_run(tmp_path / "b") / broken).unlink()
    assert main(["compare", "a", "b"]) == 1
    said = capsys.readouterr().err.strip()
    assert words in said
    assert broken in said
    assert "\n" not in said
    assert not Path("comparison.html").exists()


def test_a_crate_of_something_else_is_refused(tmp_path, capsys):
    write(tmp_path / "b/ro-crate-metadata.json", {"@graph": []})
    write(tmp_path / "b/workflow/configuration.json", {"no": "run"})
    assert main(["compare", str(tmp_path / "b"), str(tmp_path / "b")]) == 1
    assert "not readable as the results of a run" in capsys.readouterr().err
    assert main(["compare", str(tmp_path / "none"), str(tmp_path / "b")]) == 1
    assert "none" in capsys.readouterr().err


def test_nested_settings_have_a_line_for_each_value():
    assert dict(flat({"a": {"b": [1], "c": {"d": None}}})) == {"a.b": "[1]", "a.c.d": "null"}
