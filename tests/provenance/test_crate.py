import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sdssflow.files import file_digest, write_json
from sdssflow.provenance.crate import build_crate, check
from sdssflow.provenance.lineage import LineageError, walk_back
from sdssflow.provenance.records import write_record
from sdssflow.provenance.workflow_copy import copy_workflow
from tests.provenance.validation import issues

CITATION = {"title": "flow", "version": "0.1.0", "license": "BSD-3-Clause", "keywords": ["sky"]}


def describe(citation=CITATION, configuration=()):
    copied = copy_workflow(".", "results/workflow", configuration, "{}\n")
    return build_crate(walk_back("results/report.html"), "results/report.html", ".", copied,
                       citation)  # fmt: skip


def entities(crate):
    return {entity["@id"]: entity for entity in crate["@graph"]}


@pytest.fixture
def crate(run):
    return describe()


def test_a_crate_of_a_project_without_a_citation_conforms(run, tmp_path):
    write_json("results/ro-crate-metadata.json", describe({}))
    assert issues("results", tmp_path / "cache") == []


def test_the_validator_finds_faults(crate, tmp_path):
    crate["@graph"] = [x for x in crate["@graph"] if x["@type"] != "CreateAction"]
    write_json("results/ro-crate-metadata.json", crate)
    found = " ".join(issues("results", tmp_path / "cache"))
    for profile in ("workflow-run-crate-0.5", "provenance-run-crate-0.5"):
        assert f"{profile}_" in found


def test_files_are_named_with_their_digests(crate):
    found = entities(crate)
    report = found["report.html"]
    assert report["sha256"] == file_digest("results/report.html")
    assert report["contentSize"] == "2"
    folder = found["mgs/regress/linear/1/"]
    assert folder["@type"] == "Dataset"
    source = next(x for name, x in found.items() if name.startswith("ni:///sha-256;"))
    assert source["sha256"] == file_digest("data/source.csv")
    assert source["name"] == "data/source.csv"


def test_every_job_is_an_action_with_tool_files_and_record(crate):
    found = entities(crate)
    job = found["#job/train_regressor/mgs"]
    assert job["instrument"] == {"@id": "workflow/scripts/train_regressor.py"}
    assert job["object"] == {"@id": "mgs/catalogue/catalogue.csv"}
    assert job["result"] == {"@id": "mgs/regress/linear/1/"}
    record = json.loads(Path("results", job["subjectOf"]["@id"]).read_text())
    assert (job["startTime"], job["endTime"]) == (record["started"], record["ended"])
    run = found["#run"]
    assert run["endTime"] == found["#job/build_report/mgs"]["endTime"]
    assert found["./"]["datePublished"] == run["endTime"]


def test_a_rule_with_another_name_than_its_script_names_the_script(jobs, tmp_path):
    for rule, job in jobs.items():
        job.write()
        write_record(job.snakemake(rule=f"sdss_{rule}"), f"scripts/{rule}.py", datetime.now(UTC))
    write_json("results/ro-crate-metadata.json", describe(CITATION))
    assert issues("results", tmp_path / "cache") == []
    found = entities(json.loads(Path("results/ro-crate-metadata.json").read_text()))
    script = {"@id": "workflow/scripts/train_regressor.py"}
    assert found["#step/sdss_train_regressor"]["workExample"] == script
    assert script in found["workflow/Snakefile"]["hasPart"]


def test_a_crate_of_the_same_files_has_the_same_bytes(crate):
    assert json.dumps(describe()) == json.dumps(crate)


def test_what_an_earlier_configuration_left_is_not_in_the_crate(run):
    Path("results/mgs/old.csv").write_text("1\n")
    assert "mgs/old.csv" not in json.dumps(describe())


def test_a_result_without_record_is_named(run):
    Path("results/provenance/import_catalogue/mgs.json").unlink()
    lineage = walk_back("results/report.html")
    assert lineage.unrecorded == ["results/mgs/catalogue/catalogue.csv"]
    assert lineage.sources == {}
    assert "mgs/catalogue/catalogue.csv" in entities(describe())


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("results/mgs/catalogue/catalogue.csv", "has changed since import_catalogue wrote it"),
        ("results/mgs/regress/linear/1/model.json", "results/mgs/regress/linear/1: has changed"),
        ("data/source.csv", "has changed since it was read"),
    ],
)
def test_changed_files_make_no_crate(run, path, what):
    check(walk_back("results/report.html"))
    Path(path).write_text("7\n")
    with pytest.raises(LineageError, match=what):
        check(walk_back("results/report.html"))


def test_a_chain_that_does_not_fit_together_makes_no_crate(run):
    job = run["import_catalogue"]
    job.write("5\n")
    job.record()
    with pytest.raises(LineageError, match="train_regressor read .* but import_catalogue had"):
        check(walk_back("results/report.html"))


def test_without_citation_the_licence_is_not_stated(run):
    assert "not stated" in entities(describe(citation={}))["./"]["license"]


def test_the_copy_of_the_workflow_is_whole_and_clean(run, tmp_path_factory):
    outside = tmp_path_factory.mktemp("elsewhere") / "mine.yaml"
    outside.write_text("samples: []\n")
    crate = describe(configuration=["config/config.yaml", outside])
    copied = {str(x.relative_to("results/workflow")) for x in Path("results/workflow").rglob("*.*")}
    assert copied == {
        "config/config.yaml", "configuration/mine.yaml", "configuration.json", "rules/report.smk",
        "scripts/import_catalogue.py", "scripts/train_regressor.py", "scripts/build_report.py",
    }  # fmt: skip
    assert copied | {"Snakefile"} == {
        name.removeprefix("workflow/") for name in entities(crate) if name.startswith("workflow/")
    }


def test_a_copy_that_fails_leaves_the_one_before(run):
    describe()
    with pytest.raises(FileNotFoundError):
        copy_workflow(".", "results/workflow", ["config/none.yaml"], "{}\n")
    assert Path("results/workflow/Snakefile").is_file()
    assert [x.name for x in Path("results").iterdir() if x.name.startswith(".")] == []


def test_configuration_files_of_one_name_are_all_copied(run, tmp_path_factory):
    paths = [tmp_path_factory.mktemp(name) / "mine.yaml" for name in ("here", "there")]
    for path, text in zip(paths, ("here", "there"), strict=True):
        path.write_text(text)
    copied = copy_workflow(".", "results/workflow", [*paths, paths[0]], "{}\n")
    names = ["configuration/mine.yaml", "configuration/mine_2.yaml"]
    assert [name for name in copied if "mine" in name] == names
    assert [Path("results/workflow", name).read_text() for name in names] == ["here", "there"]
