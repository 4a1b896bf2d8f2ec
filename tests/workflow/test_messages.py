"""What a run that fails leaves on the terminal: the reasons, once, last, in the user's terms."""

import atexit
import logging
import os
import re
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.logging import logger

from sdssflow import failures
from sdssflow.files import write_json
from sdssflow.logs import reason, run
from sdssflow.prepare.parts import read_part
from tests.test_terminal import SIGNALLED, said_by_snakemake
from tests.workflow.conftest import Run
from tests.workflow.failing_project import REFUSED, ROWS, assert_last, catalogue, make, said

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Run:
    return make(tmp_path_factory.mktemp("messages"))


SEVERAL = f"""\
import_catalogue (sample breaks) failed (log: logs/import_catalogue/breaks.log):
IndexError: pop from empty list. Unexpected: report it with the log, which has the traceback.

import_catalogue (sample killed) failed (log: logs/import_catalogue/killed.log):
killed by SIGKILL before it could say why, most often because the machine has too little memory \
for all that runs on it: run again with --cores 1.

{REFUSED.format(more=", and 1 more for the same reason")}

import_catalogue (sample unknown) failed (log: logs/import_catalogue/unknown.log):
data/unknown.csv: column 'spec_class', row 0 (line 2): unknown label 'GALAXI' \
(did you mean 'GALAXY'?) (1 row has unknown labels). Map it to a class in source.class_labels, \
or leave the cell empty if it is none.\
"""


def told(project, *arguments, status=1) -> str:
    """Return what a run that has to fail leaves on standard error."""
    done = project.snakemake(*arguments, check=False)
    assert done.returncode == status
    return done.stderr


def test_each_reason_stands_once_at_the_end(project):
    text = said(project, "--cores", "2", *map(catalogue, ROWS))
    assert_last(text, SEVERAL)
    assert all(text.count(line) == 1 for line in SEVERAL.splitlines() if line)
    assert (project.folder / catalogue("sound")).is_file()
    words = ("RuleException", "Error in rule", "Look above")
    assert not [word for word in words if word in text]
    assert text.count("import_catalogue failed (log: ") == len(ROWS) - 1
    (whole,) = (project.folder / ".snakemake/log").iterdir()
    assert all(word in whole.read_text() for word in words)
    for name in ("breaks", "refused"):
        log = (project.folder / f"logs/import_catalogue/{name}.log").read_text()
        assert "Traceback (most recent call last)" in log


@pytest.mark.parametrize("quiet", [[], ["--quiet", "all"]], ids=["", "quiet"])
def test_a_refused_file_is_the_last_word_of_a_run(project, quiet):
    text = told(project, "--cores", "1", catalogue("refused"), *quiet)
    assert_last(text, REFUSED.format(more=""))
    assert not (project.folder / catalogue("refused")).exists()
    assert not list((project.folder / ".snakemake/locks").glob("*"))


MINE = ["--configfile", "mine.yaml"]


@pytest.mark.parametrize(
    ("mine", "arguments", "message"),
    [
        ("", ["--config", "seds=1", "--quiet", "all"],
         "--config seds: seds: unknown key (did you mean 'seeds'?)"),
        ("seeds: [1]\nfigures:\n  dip: 50\n", MINE,
         "mine.yaml, line 3: figures.dip: unknown key (did you mean 'dpi'?)"),
        ("seeds: [1, 1]", MINE, "mine.yaml, line 1: seeds"),
        ("seeds: [1]\nfigures: {}\nseeds: [2]", MINE, "mine.yaml, line 3: seeds"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_configuration_is_one_message(project, mine, arguments, message):
    (project.folder / "mine.yaml").write_text(mine)
    text = told(project, "-n", *arguments, status=2)
    lines = [line for line in text.splitlines() if line and "specific profile" not in line]
    assert lines[0].startswith(message)
    assert lines[1:] in ([], ["Every key is described in docs/configuration.md."])


def test_of_an_unknown_target_the_nearest_known_one_is_said(project):
    text = told(project, "results/sond/catalogue/catalogue.parquet")
    assert (
        text.rstrip()
        .splitlines()[-1]
        .startswith(
            "results/sond/catalogue/catalogue.parquet: no rule has this name or makes this file "
            "(did you mean results/sound/catalogue/catalogue.parquet?)"
        )
    )
    assert "(did you mean bundles?)" in told(project, "bundels")


def test_a_run_that_is_interrupted_says_how_to_go_on(project):
    log = project.folder / "logs/import_catalogue/sound.log"
    log.unlink(missing_ok=True)
    (project.folder / "wait").touch()
    # a shell starts what runs in its background with SIGINT ignored, and children inherit that
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = project.start(catalogue("sound"), "--force", output="interrupted.txt")
    signal.signal(signal.SIGINT, handler)
    while process.poll() is None and not (log.exists() and "INFO" in log.read_text()):
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    try:
        assert process.wait(timeout=900) == 130
    finally:
        (project.folder / "wait").unlink()
    assert_last((project.folder / "interrupted.txt").read_text(), failures.STOPPED)
    assert "KeyboardInterrupt" in log.read_text()


def test_a_source_that_is_gone_is_missed_where_its_results_are(project):
    project.snakemake(catalogue("sound"), "--cores", "1")
    path = project.folder / "data/sound.csv"
    path.rename(project.folder / "data/sounds.csv")
    text = told(project, catalogue("sound"), "--cores", "1")
    (project.folder / "data/sounds.csv").rename(path)
    assert_last(
        text,
        "sample sound: source.path: data/sound.csv: there is no such file (did you mean "
        f"'sounds.csv'?). Add it, or correct the path, which is relative to {project.folder}.",
    )


def test_a_source_that_may_not_be_read_is_told_before_a_job(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("")
    assert failures.present(str(path), "sample a: source.path") == str(path)

    def forbid(*_):
        raise PermissionError(13, "Permission denied")  # which root, as tests may be, never meets

    monkeypatch.setattr(os, "open", forbid)
    with pytest.raises(
        failures.Refusal, match="a.csv: Permission denied. Make it readable"
    ) as refused:
        failures.present(str(path), "sample a: source.path")
    atexit.unregister(refused.value.say)


def test_a_pipe_is_no_source(tmp_path):
    os.mkfifo(tmp_path / "rows")  # a job would wait for who writes into it
    with pytest.raises(failures.Refusal, match="rows: neither a file nor a folder") as refused:
        failures.present(str(tmp_path / "rows"), "sample a: source.path")
    atexit.unregister(refused.value.say)


# commands of a SLURM that runs each job at once, while sbatch waits
SBATCH = """
while [ $# -gt 0 ]; do
    case "$1" in --output) out="$2"; shift;; --wrap=*) call="${1#--wrap=}";; esac
    shift
done
number=$(($(cat "$HERE/states" | wc -l) + 1))
log=$(echo "$out" | sed "s/%j/$number/")
mkdir -p "$(dirname "$log")"
state=COMPLETED
SLURM_JOB_ID=$number sh -c "$call" > "$log" 2>&1 || state=FAILED
echo "$number|$state" >> "$HERE/states"
echo $number
"""
SQUEUE = 'case "$*" in *--name*) cat "$HERE/states";; esac'
SRUN = 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"'


@pytest.fixture
def cluster(tmp_path):
    """The environment of runs on a SLURM of this test."""
    pytest.importorskip("snakemake_executor_plugin_slurm")
    age = 'echo "MinJobAge = 300 sec"'
    commands = {"sbatch": SBATCH, "squeue": SQUEUE, "srun": SRUN, "sinfo": "echo main",
                "scontrol": age, "sacct": "exit 1", "scancel": "exit 1"}  # fmt: skip
    for name, commands_in_sh in commands.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\nHERE={tmp_path}\n{commands_in_sh}\n")
        program.chmod(0o755)
    (tmp_path / "states").touch()
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def test_of_submitted_jobs_too_the_reason_is_the_last_word(project, cluster):
    text = said(
        project, "--workflow-profile", "profiles/slurm", "--cores", "1", "--retries", "0",
        "--slurm-init-seconds-before-status-checks", "1",
        catalogue("refused"), "results/refused/clean/flow.csv", environment=cluster,
    )  # fmt: skip
    assert_last(text, REFUSED.format(more=""))
    assert "Group job prepare" in text
    assert "a group of clean_catalogue, import_catalogue failed (log: logs/slurm/" in text
    assert "Error in " not in text
    assert "2\n" in text.split("total")[1]  # of the two, one never began


def job(name, *members):
    """A job as Snakemake's scheduler gives it, or a group of jobs."""
    if members:
        return SimpleNamespace(jobs=members, log=[log for one in members for log in one.log])
    return SimpleNamespace(
        rule=SimpleNamespace(name=name), log=[f"{name}.log"], wildcards_dict={"sample": "s"}
    )


def entry(level, text):
    return f"2026-01-02 03:04:05,678 {level} {text}\n"


FAILED = entry("INFO", "a {}") + entry("CRITICAL", "no room\nat all") + entry("WARNING", "late")
WELL = entry("INFO", "a {}") + entry("INFO", "done in 0.5 s")
WORKING = entry("INFO", "a {}")
BY_SLURM = "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-01-02 DUE TO TIME LIMIT ***\n"


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """Write logs into a folder of their own: those of an earlier run, then those of this one."""
    monkeypatch.chdir(tmp_path)

    def write(before, since):
        for name, text in before.items():
            Path(f"{name}.log").write_text(text)
        watch = failures.Watch(["a.log", "b.log", "c.log"])
        for name, text in since.items():
            Path(f"{name}.log").write_text(text)
        return watch

    return write


def group_error(*others):
    info = [{"log": [f"{name}.log"]} for name in "abc"]
    names = {"event": "group_error", "job_error_info": info, "aux_logs": list(others)}
    return logging.makeLogRecord({"msg": "", **names})


@pytest.mark.parametrize(
    ("before", "since", "expected"),
    [
        ({"c": FAILED}, {"a": WELL, "b": FAILED}, {"b (sample s)": "no room\nat all"}),
        ({"a": FAILED, "b": FAILED}, {"a": FAILED * 2, "b": WELL}, {"a (sample s)": "no room"}),
        ({}, {"a": WELL, "b": WORKING}, {"b (sample s)": "killed .* DUE TO TIME LIMIT .*mem_mb"}),
        ({"a": FAILED}, {}, {"a (sample s)": "it never began, nor did the 2 .*TIME LIMIT"}),
        ({}, {"a": WELL, "b": WELL, "c": WELL}, {"c (sample s)": "its script succeeded"}),
    ],
    ids=["one failed", "earlier run", "killed", "never began", "output refused"],
)
def test_of_a_group_the_job_that_failed_is_told(logs, before, since, expected):
    watch = logs(before, since)
    Path("slurm.log").write_text(BY_SLURM)
    watch.handle(group_error("slurm.log"))
    found = failures.failures([job("group", job("a"), job("b"), job("c"))], watch)
    assert {failure.job for failure in found} == set(expected)
    for failure in found:
        assert re.search(expected[failure.job], failure.reason, re.DOTALL)


def test_long_and_many_reasons_are_cut(logs):
    watch = logs({}, {"a": entry("CRITICAL", "\x1b[2J" + "x" * 10_000)})
    (found,) = failures.failures([job("a")], watch)
    assert found.reason.startswith(" [2Jxx")
    assert len(found.reason) < 5000
    many = [failures.Failure("a", f"{i}.log", f"reason {i}.") for i in range(30)]
    text = failures.message(many, 30)
    assert text.lstrip().startswith("30 jobs failed; these are the first 10 different reasons")
    assert text.count("reason ") == 10


@pytest.mark.parametrize(
    ("failed", "running", "kill", "error", "status", "expected"),
    [
        ([], ["b"], None, None, 130, failures.STOPPED),
        ([], [], None, None, 130, failures.STOPPED),
        (["b"], [], "graceful", None, 130, failures.STOPPED),
        (["b"], ["c"], None, None, 130, failures.STOPPED),
        (["b", "a"], [], "graceful", None, 130, "no room\nat all"),
        (["b"], [], None, None, 1, "too little memory for all that runs on it"),
        (["a"], ["c"], None, OSError("sbatch"), 1, "no room\nat all"),
        ([], [], None, OSError("sbatch"), None, None),
    ],
    ids=["Ctrl-C", "all had ended", "TERM", "Ctrl-C later", "TERM after a failure", "killed",
         "failed", "Snakemake's own words"],
)  # fmt: skip
def test_what_an_interrupted_run_says(logs, failed, running, kill, error, status, expected):
    watch = logs({}, {"a": FAILED, "b": WORKING})
    scheduler = SimpleNamespace(
        failed=list(map(job, failed)), running=set(running), _user_kill=kill, _executor_error=error
    )
    logger.addHandler(watch)
    try:
        failures.tell(SimpleNamespace(scheduler=scheduler, local_exec=True))
    except failures.Refusal as refusal:
        atexit.unregister(refusal.say)
        assert refusal.code == status
        assert expected in str(refusal)
        assert (failures.STOPPED in str(refusal)) is (status == 130)
        assert str(refusal).count("log:") == (expected != failures.STOPPED)
    else:
        assert status is None
    finally:
        logger.removeHandler(watch)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("died with <Signals.SIGKILL: 9>.", "killed by SIGKILL .* --cores 1"),
        ("returned non-zero exit status 137.", "killed by SIGKILL .* --cores 1"),
        ("died with <Signals.SIGSEGV: 11>.", "ended by SIGSEGV before it could say why"),
        ("returned non-zero exit status 1.", "killed before it could say why"),
    ],
)
def test_a_signal_that_ended_a_job_is_named(logs, end, expected):
    watch = logs({}, {"a": WORKING, "b": WORKING})
    watch.handle(said_by_snakemake("error", SIGNALLED + end, exception="RuleException"))
    watch.handle(said_by_snakemake("job_error", log=["a.log"], rule_msg=None))
    watch.handle(said_by_snakemake("job_error", log=["b.log"], rule_msg=None))
    a, b = failures.failures([job("a"), job("b")], watch)
    assert re.match(expected, a.reason)
    assert b.reason.startswith("killed before")


def test_a_folder_that_is_locked_is_told_with_the_way_on(project):
    locks = project.folder / ".snakemake/locks"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text(f"{catalogue('refused')}\n")
    (locks / "0.input.lock").write_text("")
    text = told(project, catalogue("refused"))
    project.snakemake("--unlock")
    assert text.rstrip().splitlines()[-1].startswith(f"{project.folder} is locked: ")
    assert "snakemake --unlock" in text


def test_a_reason_that_no_log_can_take_is_said_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    full = SimpleNamespace(
        rule="a", wildcards={}, log=["/dev/full"], input=[], output={}, params={}, threads=1
    )
    with pytest.raises(IndexError):
        run(lambda snakemake: [].pop(), full)
    assert capsys.readouterr().err.splitlines()[-1].startswith("IndexError: pop from empty list")


def raised(call):
    try:
        call()
    except BaseException as error:
        return error


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: [].pop(), "IndexError: pop from empty list. Unexpected: report it with the log"),
        (lambda: write_json(Path("a"), object()), r"TypeError: .* \(sdssflow/files.py, line \d+\)"),
        (lambda: Path("not/there").read_text(), r"FileNotFoundError: \[Errno 2\] No such file"),
        (lambda: read_part("nowhere.parquet", 0, "x"), "unknown part 'x'; known: train"),
        (interrupt, "interrupted. The same command continues from here."),
    ],
    ids=["library", "place", "file", "our words", "interrupted"],
)
def test_words_of_ours_are_told_as_they_are(call, expected):
    assert re.match(expected, reason(raised(call)))


def test_a_file_one_may_not_read_and_a_folder_one_may_not_write_are_told_apart():
    error = PermissionError(13, "Permission denied", "data/a.csv")
    assert reason(error, ["data/a.csv"]).endswith("'data/a.csv'. Make it readable (chmod u+r).")
    assert "Make it writable" in reason(error)
