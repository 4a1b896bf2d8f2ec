"""Starts of jobs in Snakemake's own metadata, which its report draws run times from."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence

from sdssflow.running.runs import restore_starts


@pytest.fixture
def persistence(run):
    """Snakemake's metadata, in which each job of the run has taken no time."""
    metadata = FilePersistence()
    for job in run.values():
        ended = started(job) + 60
        metadata._write_record(job.writes, MetadataRecord(starttime=ended, endtime=ended))
    return metadata


def record(job):
    return Path(f"results/provenance/{job.rule}/mgs.json")


def started(job):
    return datetime.fromisoformat(json.loads(record(job).read_text())["started"]).timestamp()


def times(job):
    """Start and end as a Snakemake of its own reads them."""
    kept = FilePersistence()._read_record(job.writes)
    return kept.starttime, kept.endtime


def test_jobs_get_the_starts_of_their_records(run, persistence):
    assert restore_starts(persistence, Path.cwd()) == len(run)
    for job in run.values():
        assert times(job) == (started(job), started(job) + 60)
    assert restore_starts(persistence, Path.cwd()) == 0


def test_a_start_that_snakemake_saw_itself_stays(run, persistence):
    job = run["import_catalogue"]
    seen = started(job) - 2
    persistence._write_record(job.writes, MetadataRecord(starttime=seen, endtime=seen + 62))
    persistence._clear_cache()
    assert restore_starts(persistence, Path.cwd()) == len(run) - 1
    assert times(job) == (seen, seen + 62)


@pytest.mark.parametrize("text", ["{", "[]", '{"rule": "x"}'])
def test_a_record_that_cannot_be_read_is_left_to_those_who_need_it(run, persistence, text):
    job = run["import_catalogue"]
    before = times(job)
    record(job).write_text(text)
    assert restore_starts(persistence, Path.cwd()) == len(run) - 1
    assert times(job) == before


def test_an_output_that_snakemake_does_not_know_is_left_alone(run, persistence):
    job = run["build_report"]
    persistence._delete_record(job.writes)
    persistence._clear_cache()
    assert restore_starts(persistence, Path.cwd()) == len(run) - 1
    assert FilePersistence()._read_record(job.writes) is None
