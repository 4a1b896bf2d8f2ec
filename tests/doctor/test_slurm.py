import pytest

from sdssflow.doctor import findings
from sdssflow.doctor.findings import FAULT, OK, WARNING
from sdssflow.doctor.profiles import Demand
from sdssflow.doctor.slurm import (
    check_accounting,
    check_controller,
    check_jobs,
    check_programs,
    min_job_age,
)

DISABLED = "echo 'Slurm accounting storage is disabled' >&2; exit 1"


def config(age):
    return f"echo 'MinJobAge               = {age}'"


def test_programs_are_there_or_named(programs):
    programs(sbatch="echo slurm-wlm 22.05.8", squeue="", sinfo="")
    found = check_programs()
    assert found.state == FAULT and "scancel, scontrol" in found.found
    assert "profiles/default" in found.advice
    programs(scancel="", scontrol="")
    found = check_programs()
    assert found.state == OK and "slurm-wlm 22.05.8" in found.found


UP, DOWN = "echo 'Slurmctld(primary) at a is UP'", "echo 'Slurmctld(primary) at a is DOWN'"


@pytest.mark.parametrize(
    ("scontrol", "sinfo", "state"),
    [
        (UP, "echo 4", OK),
        (f"{DOWN}; echo 'Slurmctld(backup) at b is UP'", "echo 4", OK),
        (DOWN, "echo 4", FAULT),
        ("echo 'Could not establish a configuration source' >&2; exit 1", "echo 4", FAULT),
        (UP, "echo 'Unable to contact' >&2; exit 1", FAULT),
    ],
)
def test_a_controller_has_to_answer(programs, scontrol, sinfo, state):
    programs(scontrol=scontrol, sinfo=sinfo)
    assert check_controller().state == state


def test_a_controller_that_hangs_is_given_up(programs, monkeypatch):
    monkeypatch.setattr(findings, "SECONDS", 0.5)
    programs(scontrol="/bin/sleep 9999")
    found = check_controller()
    assert found.state == FAULT and "no answer in 0.5 s" in found.found


@pytest.mark.parametrize(
    ("text", "age"), [("300 sec", 300), ("1h", 3600), ("2 min", 120), ("60", 60), ("?", None)]
)
def test_min_job_age(programs, text, age):
    programs(scontrol=config(text))
    assert min_job_age() == age


PROFILE = "executor: slurm\nslurm-init-seconds-before-status-checks: 20\n"
SQUEUE = PROFILE + "slurm-status-command: squeue\n"


@pytest.mark.parametrize(
    ("text", "age", "sacct", "state", "advice"),
    [
        # told to use squeue, and SLURM remembers long enough
        (SQUEUE, "60 sec", DISABLED, OK, ""),
        # too short: the executor takes sacct all the same
        (SQUEUE, "59 sec", DISABLED, FAULT, "-checks: 19`"),
        (SQUEUE, "59 sec", "exit 0", OK, ""),
        (SQUEUE, "2 sec", DISABLED, FAULT, "ask the operators"),
        (SQUEUE, "?", DISABLED, FAULT, "find out MinJobAge"),
        # told nothing: sacct, since it is on the PATH
        (PROFILE, "300 sec", DISABLED, FAULT, "write `slurm-status-command: squeue` in"),
        (PROFILE, "300 sec", "exit 0", OK, ""),
        (PROFILE, "30 sec", DISABLED, FAULT, "squeue` in"),
        # no sacct: squeue, whatever is written
        (PROFILE, "300 sec", None, OK, ""),
        (PROFILE, "30 sec", None, WARNING, "-checks: 10`"),
        (PROFILE + "slurm-status-command: sqeue\n", "300 sec", None, FAULT, "squeue or sacct"),
        # 40 seconds unless the profile says otherwise
        ("slurm-status-command: squeue\n", "119 sec", DISABLED, FAULT, "-checks: 39`"),
    ],
)
def test_accounting(programs, profile_of, text, age, sacct, state, advice):
    scripts = {"scontrol": config(age), "squeue": ""} | ({"sacct": sacct} if sacct else {})
    programs(**scripts)
    found = check_accounting(profile_of(text))
    assert found.state == state, found
    assert advice in found.advice


def test_both_lines_are_written_if_both_are_needed(programs, profile_of):
    programs(scontrol=config("30 sec"), squeue="", sacct=DISABLED)
    found = check_accounting(profile_of(PROFILE))
    assert "slurm-status-command: squeue" in found.advice
    assert "slurm-init-seconds-before-status-checks: 10" in found.advice
    assert "profile.yaml:2" in found.advice


# refuses what asks for the partition `old`, for more than 4000 MB, or for a GPU
SBATCH = """
echo "$*" >> "$(dirname "$0")/asked"
case "$*" in *--test-only*) ;; *) exit 9 ;; esac
case "$*" in *"-p old"*) echo 'invalid partition specified: old' >&2; exit 1 ;; esac
case "$*" in *"--mem 8000"*|*--gpus*) echo 'configuration is not available' >&2; exit 1 ;; esac
"""


def job(rule, *options, attempt=1, **kinds):
    return Demand(rule, attempt, sbatch=("sbatch", "--ntasks=1", *options), **kinds)


def test_jobs_that_slurm_takes_are_ok_and_equal_ones_are_tried_once(programs, profile_of):
    folder = programs(sbatch=SBATCH, dirname='/usr/bin/dirname "$@"')
    jobs = [job("score", "--mem", "1000"), job("plot", "--mem", "1000"), job("train")]
    found = check_jobs(jobs, profile_of("executor: slurm\n"))
    assert found.state == OK and "2 kinds" in found.found
    assert len((folder / "asked").read_text().splitlines()) == 2


def test_a_job_that_slurm_refuses_is_a_fault_in_its_words(programs, profile_of):
    programs(sbatch=SBATCH, dirname='/usr/bin/dirname "$@"')
    jobs = [job("score", "-p", "old"), job("plot", "-p", "old"), job("train", "--mem", "1000")]
    found = check_jobs(jobs, profile_of("executor: slurm\n"))
    assert found.state == FAULT and "score, plot: sbatch: invalid partition" in found.found
    assert "(-p old)" in found.found and "train" not in found.found
    assert "profile.yaml" in found.advice


def test_a_last_attempt_that_slurm_refuses_is_a_warning(programs, profile_of):
    programs(sbatch=SBATCH, dirname='/usr/bin/dirname "$@"')
    jobs = [job("score", "--mem", "4000"), job("score", "--mem", "8000", attempt=2)]
    found = check_jobs(jobs, profile_of("executor: slurm\n"))
    assert found.state == WARNING and "score, attempt 2: sbatch:" in found.found


def test_a_limit_of_no_gpus_does_not_get_to_the_jobs(programs, profile_of):
    programs(sbatch=SBATCH, dirname='/usr/bin/dirname "$@"')
    jobs = [job("train", "--mem", "1000", gpu=1)]
    found = check_jobs(jobs, profile_of("resources:\n  gpu: 0\n"))
    assert found.state == FAULT and "profile.yaml:2" in found.found
    assert "set-resources" in found.advice
    found = check_jobs([job("train", "--gpus=1", gpu=1)], profile_of("jobs: 1\n"))
    assert found.state == FAULT and "train" in found.found and "`gpu: 0`" in found.advice
