import json
import os
import platform
import shutil
from pathlib import Path

import pytest
from snakemake.iocontainers import Params

from sdssflow.files import file_digest
from sdssflow.logs import run as run_job
from sdssflow.provenance import lineage, records
from sdssflow.provenance.lineage import LineageError, record_of
from sdssflow.provenance.records import LOCK, note, record_path, write_record

TIMES = ("started", "ended", "seconds", "cpu_seconds", "peak_memory_mb")


@pytest.fixture
def reads(monkeypatch):
    """Paths whose content was read."""
    seen = []
    read = lineage.read_content
    monkeypatch.setattr(lineage, "read_content", lambda path: seen.append(str(path)) or read(path))
    return seen


def test_a_record_tells_what_went_in_and_came_out(jobs):
    job = jobs["import_catalogue"]
    job.write()
    record = job.record()
    assert record["inputs"] == {
        "data/source.csv": {"sha256": file_digest("data/source.csv"), "bytes": 6}
    }
    assert record["outputs"] == {job.writes: {"sha256": file_digest(job.writes), "bytes": 4}}
    assert record["rule"] == "import_catalogue"
    assert record["wildcards"] == {"sample": "mgs"}
    assert record["resources"] == {"threads": 1, "mem_mb": 100, "runtime": 5}
    assert record["parameters"] == {"settings": '{"a": 1}', "seed": 3}
    assert record["code"]["modules"] == "0123456789ab"
    assert record["code"]["script_sha256"] == file_digest("scripts/import_catalogue.py")
    assert record["environment"]["python"] == platform.python_version()
    assert record["environment"]["lock_sha256"] == file_digest(LOCK)
    assert record["device"] == "cpu"
    assert record["machine"]["logical_cores"] == os.cpu_count()
    assert record["machine"]["memory_gb"] > 0
    assert len(platform.node()) < 4 or platform.node() not in json.dumps(record)
    assert record["started"] <= record["ended"]
    assert record["ended"].endswith("+00:00")


def test_the_record_has_the_memory_and_cpu_of_the_job(jobs):
    jobs["import_catalogue"].write()
    before = jobs["import_catalogue"].record()
    held = bytearray(100 << 20)
    after = jobs["import_catalogue"].record()
    assert after["peak_memory_mb"] >= before["peak_memory_mb"] > 10
    assert records.usage()["peak_memory_mb"] >= len(held) >> 20
    assert after["cpu_seconds"] >= before["cpu_seconds"] > 0


def test_the_same_job_twice_gives_the_same_record_but_for_the_times(jobs):
    job = jobs["import_catalogue"]
    first, second = ((job.write(), job.record())[1] for _ in range(2))
    assert {k: v for k, v in first.items() if k not in TIMES} == {
        k: v for k, v in second.items() if k not in TIMES
    }


def test_parameters_change_their_digest_and_the_code_does_not(jobs):
    job = jobs["import_catalogue"]
    job.write()
    before = job.record()["parameters_sha256"]
    for name, value, changes in (("code", "ba9876543210", False), ("seed", 4, True)):
        params = job.snakemake().params
        setattr(params, name, value)
        assert (job.record(params=params)["parameters_sha256"] != before) is changes


def test_a_job_of_slurm_tells_its_ids(jobs, monkeypatch):
    jobs["import_catalogue"].write()
    assert jobs["import_catalogue"].record()["batch_system"] == {}
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "node3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    found = jobs["import_catalogue"].record()["batch_system"]
    assert found == {"SLURM_JOB_ID": "17", "CUDA_VISIBLE_DEVICES": "0"}


def test_a_program_can_tell_its_device_for_this_job_only(jobs):
    jobs["import_catalogue"].write()
    note(device="NVIDIA H100", precision="tf32")
    record = jobs["import_catalogue"].record()
    assert (record["device"], record["notes"]) == ("NVIDIA H100", {"precision": "tf32"})
    record = jobs["import_catalogue"].record()
    assert (record["device"], record["notes"]) == ("cpu", {})


def test_logs_and_records_mirror_each_other():
    assert record_path("logs/a/b/1.0.log") == Path("results/provenance/a/b/1.0.json")
    assert record_path("elsewhere/a.log") is None


def test_a_rule_without_log_has_no_record(jobs):
    jobs["import_catalogue"].write()
    assert write_record(jobs["import_catalogue"].snakemake(log=[]), None, None) is None
    assert not Path("results/provenance").exists()


def test_a_folder_is_one_output_and_its_mark_is_not_part(jobs):
    job = jobs["train_regressor"]
    jobs["import_catalogue"].write()
    job.write()
    found = lineage.read_content(job.writes)
    assert found.bytes == 6
    Path(job.writes, ".snakemake_timestamp").unlink()
    assert lineage.read_content(job.writes) == found
    Path(job.writes, "card.json").rename(Path(job.writes, "other.json"))
    assert lineage.read_content(job.writes).sha256 != found.sha256


def test_what_a_job_wrote_is_read_again_only_after_a_touch(jobs, reads):
    for job in jobs.values():
        job.write()
        job.record()
    files = [path for path in reads if not path.startswith("results/mgs/regress/linear/1/")]
    assert files == ["data/source.csv", *(job.writes for job in jobs.values())]
    os.utime(jobs["import_catalogue"].writes, (0, 0))
    for _ in range(3):  # and once read, it is known again
        jobs["train_regressor"].record()
    assert reads.count(jobs["import_catalogue"].writes) == 2


@pytest.mark.parametrize("text", ["x\n2\n", "x\n1\n\n"])
@pytest.mark.parametrize("same_time", [True, False])
def test_a_result_that_was_changed_by_hand_is_refused_before_it_is_read(jobs, text, same_time):
    first, second = list(jobs.values())[:2]
    first.write()
    first.record()
    stat = Path(first.writes).stat()
    Path(first.writes).write_text(text)
    if same_time:
        os.utime(first.writes, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    read = []
    advice = f"changed since import_catalogue wrote it.*snakemake --force {first.writes}"
    Path("logs/train_regressor").mkdir(parents=True)
    with pytest.raises(LineageError, match=advice):
        run_job(read.append, second.snakemake())
    assert not read


@pytest.mark.parametrize("lost", [".snakemake", ".snakemake/sdssflow_files/results"])
def test_lost_cards_hide_no_change(run, lost):
    shutil.rmtree(lost)
    assert record_of("results/report.html") == "results/provenance/build_report/mgs.json"
    Path(run["import_catalogue"].writes).write_text("x\n9\n")
    with pytest.raises(LineageError, match="changed since import_catalogue wrote it"):
        run["train_regressor"].record()


@pytest.mark.parametrize("edit", ["another", "and back"])
def test_a_source_that_changes_while_it_is_read_fails_the_job(jobs, edit):
    job, source = jobs["import_catalogue"], Path("data/source.csv")
    before = source.read_text()

    def main(snakemake):
        source.write_text("x\n7\n2\n")
        if edit == "and back":
            source.write_text(before)
        job.write()

    Path("logs/import_catalogue").mkdir(parents=True)
    with pytest.raises(LineageError, match="data/source.csv: it changed while it was read"):
        run_job(main, job.snakemake())
    assert not Path("results/provenance").exists()


def test_a_source_is_what_the_workflow_saw_when_it_began(jobs):
    job = jobs["import_catalogue"]
    Path("logs/import_catalogue").mkdir(parents=True)
    seen = {"source_files": ["data/source.csv"], "source_digests": [file_digest("data/source.csv")]}
    params = Params(fromdict={**seen, "code": "0"})
    run_job(lambda snakemake: job.write(), job.snakemake(params=params))
    shutil.rmtree("results")
    Path("data/source.csv").write_text("x\n")
    with pytest.raises(LineageError, match="data/source.csv: it has changed since this run began"):
        run_job(lambda snakemake: job.write(), job.snakemake(params=params))
    assert not Path("results").exists()  # a job that fails leaves no record


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_broken_card_is_no_error(jobs, text):
    first, second = list(jobs.values())[:2]
    first.write()
    first.record()
    lineage.card_path(first.writes).write_text(text)
    second.write()
    assert second.record()["inputs"][first.writes]["sha256"] == file_digest(first.writes)


def test_paths_outside_the_folder_have_cards_in_it(jobs, tmp_path_factory):
    outside = tmp_path_factory.mktemp("archive") / "bulk.csv"
    outside.write_text("x\n")
    for path in (outside, os.path.relpath(outside)):
        lineage.content_of(path)
        assert lineage.read_card(path)["sha256"] == file_digest(outside)
        assert lineage.card_path(path).is_relative_to(".snakemake/sdssflow_files/elsewhere")


def test_a_job_whose_record_can_not_be_written_fails(jobs):
    job = jobs["import_catalogue"]
    Path("logs/import_catalogue").mkdir(parents=True)
    Path("results").mkdir()
    Path("results/provenance").write_text("in the way")
    with pytest.raises(OSError, match="results/provenance"):
        run_job(lambda snakemake: job.write(), job.snakemake())
    assert "Traceback" in Path("logs/import_catalogue/mgs.log").read_text()


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path):
    (tmp_path / "part").mkdir()
    for name, size in (("a.parquet", 300), ("part/b.parquet", 5000), (lineage.FOLDER_MARK, 9)):
        (tmp_path / name).write_bytes(bytes(size))
    assert lineage.bytes_of(tmp_path) == 5300
    assert lineage.bytes_of(tmp_path / "a.parquet") == 300
