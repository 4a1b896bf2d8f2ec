"""What the command ``sdssflow`` looks at before it hands over, and what it hands over."""

import os
import signal
import subprocess
import sys

import pytest

from sdssflow import command, failures
from sdssflow.project import PROJECT


@pytest.fixture
def handed_over(monkeypatch):
    """Return the programs that are become, in place of becoming them."""
    found = []
    monkeypatch.setattr(os, "execv", lambda program, words: found.append(words))
    return found


BROKEN = {
    "mine.yaml, line 2: not valid YAML": b"samples: [mgs\nseeds: [1]\n",
    "mine.yaml, line 2: not valid YAML: ": b"figures:\n\tdpi: 50\n",
    "mine.yaml, line 1: byte 11 of the file, 0xe9, is not UTF-8": b"title: caf\xe9\n",
    "mine.yaml, line 2: seeds": b"seeds: [1]\nseeds: [2]\n",
    "mine.yaml: expected a mapping": b"- mgs\n",
    "mine.yaml: can't be read: No such file": None,
}


@pytest.mark.parametrize(("words", "content"), BROKEN.items())
@pytest.mark.parametrize("before", [[], ["results/report.html", "--cores", "2"]])
def test_a_file_that_snakemake_can_not_read_is_refused_in_one_line(
    tmp_path, monkeypatch, capsys, handed_over, words, content, before
):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "mine.yaml").write_bytes(content)
    assert command.main(["run", *before, "--configfile", "mine.yaml", "-n"]) == 2
    said = capsys.readouterr().err.strip()
    assert words in said, said
    assert "\n" not in said
    assert not handed_over


def test_what_stands_on_the_command_line_is_looked_at_too(capsys, handed_over):
    assert command.main(["run", "--config", "bootstrap.replicates=50"]) == 2
    assert "write 'bootstrap={replicates: 50}'\n" in capsys.readouterr().err
    assert command.main(["run", "--config", "regressors.deep.kind=linear"]) == 2
    assert "write 'regressors={deep: {kind: linear}}'\n" in capsys.readouterr().err
    assert command.main(["run", "--config", "seeds=[1", "--cores", "1"]) == 2
    assert "--config seeds" in capsys.readouterr().err
    assert not handed_over


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], ["--cores", "all", "--snakefile", "SNAKEFILE"]),
        (["run", "-n", "-c", "2"], ["--snakefile", "SNAKEFILE", "-n", "-c", "2"]),
        (["run", "-c2"], ["--snakefile", "SNAKEFILE", "-c2"]),
        (["run", "--workflow-profile=p"], ["--snakefile", "SNAKEFILE", "--workflow-profile=p"]),
        (["run", "-s", "S", "--jobs", "1"], ["-s", "S", "--jobs", "1"]),
        (
            ["run", "--", "TARGET"],
            ["--cores", "all", "--snakefile", "SNAKEFILE", "TARGET"],
        ),
        (["run", "--help"], ["--cores", "all", "--snakefile", "SNAKEFILE", "--help"]),
        (
            ["plan", "-j", "1"],
            ["plan", "--forcerun", "estimate_download", "--quiet", "all",
             "--snakefile", "SNAKEFILE", "-j", "1"],
        ),
        (["published", "-j1"], ["published", "--snakefile", "SNAKEFILE", "-j1"]),
    ],
)  # fmt: skip
def test_a_run_is_snakemake_with_the_workflow_of_the_project(
    tmp_path, monkeypatch, handed_over, arguments, words
):
    monkeypatch.chdir(tmp_path)
    command.main(arguments)
    snakefile = os.path.relpath(PROJECT / "Snakefile")
    expected = [snakefile if word == "SNAKEFILE" else word for word in words]
    (found,) = handed_over
    found = [word for word in found if word != "--"]  # argparse of some Pythons drops it
    assert found == [sys.executable, "-m", "sdssflow.running.snakemake", *expected]


def status(arguments):
    """Return the exit status of the command."""
    try:
        return command.main(arguments)
    except SystemExit as ended:
        return 1 if isinstance(ended.code, str) else ended.code


MISTAKES = [
    [], ["walk"], ["--no"], ["new"], ["new", "sample"], ["new", "sample", "../a", "a.csv"],
    ["estimate", "a.csv"], ["doctor", "--no"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_in_the_command_line_has_status_2(capsys, arguments):
    assert status(arguments) == 2
    assert "sdssflow" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["new", "sample", "a", "none.csv"], ["estimate", "none.csv", "none"]]
)
def test_what_is_refused_has_status_1(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert status(arguments) == 1


def test_a_reader_that_has_enough_is_no_failure(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    long = command.Command("says much", lambda _: print("words " * 100_000))
    monkeypatch.setitem(command.COMMANDS, "show", long)
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert command.main(["show"]) == 0


def test_a_command_that_is_interrupted_has_status_130(monkeypatch, capsys):
    def interrupt(arguments):
        raise KeyboardInterrupt

    monkeypatch.setitem(command.COMMANDS, "show", command.Command("", interrupt))
    assert status(["show"]) == 130
    assert capsys.readouterr().err == "\nInterrupted.\n"


@pytest.mark.parametrize("importing", ["pydantic", "snakemake"])
def test_an_interrupt_before_anything_is_ready_is_one_line(tmp_path, importing):
    (tmp_path / f"{importing}.py").write_text("raise KeyboardInterrupt")
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "sdssflow", "run", "-n"], cwd=tmp_path, capture_output=True,
        text=True, check=False, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == -signal.SIGINT  # to a shell 130
    assert done.stderr == f"\n{failures.STOPPED}\n"


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        (["--config", "samples=[nowhere]", "-n"], "--config samples: samples: there is no file"),
        (["--walk"], "error: unrecognized arguments: --walk"),
    ],
)
def test_a_run_has_the_same_statuses(tmp_path, arguments, last):
    program = [sys.executable, "-m", "sdssflow", "run", *arguments]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert last in done.stderr.rstrip().splitlines()[-1]


def test_help_names_every_command_and_says_where_the_workflow_is(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"  {name} " in said for name in command.COMMANDS)
    assert "130  interrupted" in said
    assert str(PROJECT) in said


def test_bash_completes_the_commands(capsys):
    assert command.main(["completion"]) == 0
    words = f"{capsys.readouterr().out}complete -p sdssflow"
    said = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=True).stdout
    assert all(name in said for name in command.COMMANDS)


def test_other_commands_are_those_of_the_library(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main(["show", "results/none.csv"]) == 2
    with pytest.raises(SystemExit, match="no bundle"):
        command.main(["estimate", "my.csv", "no_bundle"])
    with pytest.raises(SystemExit) as ended:
        command.main(["doctor", "--help"])
    assert ended.value.code == 0
    assert "sdssflow doctor" in capsys.readouterr().out
