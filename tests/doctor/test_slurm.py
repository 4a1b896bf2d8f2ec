import pytest

from sdssflow.doctor import commands
from sdssflow.doctor.findings import FAULT, OK, WARNING
from sdssflow.doctor.slurm import (
    PROGRAMS,
    check_accounting,
    check_controller,
    check_programs,
    min_job_age,
)

DISABLED = "echo 'Slurm accounting storage is disabled' >&2; exit 1"


def config(age):
    return f"echo 'MinJobAge               = {age}'"


def test_programs_are_there_or_named(cluster):
    programs = dict.fromkeys(PROGRAMS, "echo slurm-wlm 22.05.8")
    found = check_programs(cluster(**programs))
    assert found.state == OK and "slurm-wlm 22.05.8" in found.found


def test_missing_programs_are_named(cluster):
    found = check_programs(cluster(sbatch="", squeue="", sinfo=""))
    assert found.state == FAULT and "scancel, scontrol" in found.found
    assert "profiles/default" in found.advice


def test_controller_answers(cluster):
    environment = cluster(scontrol="echo 'Slurmctld(primary) at head is UP'", sinfo="echo 4")
    assert check_controller(environment).state == OK


def test_a_backup_controller_is_enough(cluster):
    ping = "echo 'Slurmctld(primary) at a is DOWN'; echo 'Slurmctld(backup) at b is UP'"
    assert check_controller(cluster(scontrol=ping, sinfo="echo 4")).state == OK


@pytest.mark.parametrize(
    ("scontrol", "sinfo"),
    [
        ("echo 'Slurmctld(primary) at head is DOWN'", "echo 4"),
        ("echo 'Could not establish a configuration source' >&2; exit 1", "echo 4"),
        ("echo 'Slurmctld(primary) at head is UP'", "echo 'Unable to contact' >&2; exit 1"),
    ],
)
def test_a_controller_that_does_not_answer_is_a_fault(cluster, scontrol, sinfo):
    assert check_controller(cluster(scontrol=scontrol, sinfo=sinfo)).state == FAULT


def test_a_controller_that_hangs_is_given_up(cluster, monkeypatch):
    monkeypatch.setattr(commands, "SECONDS", 0.5)
    found = check_controller(cluster(scontrol="/bin/sleep 9999"))
    assert found.state == FAULT and "no answer in 0.5 s" in found.found


@pytest.mark.parametrize(
    ("text", "age"), [("300 sec", 300), ("1h", 3600), ("2 min", 120), ("60", 60), ("?", None)]
)
def test_min_job_age(cluster, text, age):
    assert min_job_age(cluster(scontrol=config(text))) == age


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
def test_accounting(cluster, profile_of, text, age, sacct, state, advice):
    programs = {"scontrol": config(age), "squeue": ""} | ({"sacct": sacct} if sacct else {})
    found = check_accounting(profile_of(text), cluster(**programs))
    assert found.state == state, found
    assert advice in found.advice


def test_both_lines_are_written_if_both_are_needed(cluster, profile_of):
    found = check_accounting(
        profile_of(PROFILE), cluster(scontrol=config("30 sec"), squeue="", sacct=DISABLED)
    )
    assert "slurm-status-command: squeue" in found.advice
    assert "slurm-init-seconds-before-status-checks: 10" in found.advice
    assert "profile.yaml:2" in found.advice
