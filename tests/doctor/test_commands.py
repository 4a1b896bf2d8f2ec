import os
from pathlib import Path

from sdssflow.doctor.commands import ask


def test_good_answer(cluster):
    answer = ask(["greet", "you"], cluster(greet='echo "hello $1"'))
    assert answer.good and answer.out == "hello you\n"


def test_no_such_program(cluster):
    assert ask(["greet"], cluster()).trouble == "no greet on PATH"


def test_failure_is_its_last_line(cluster):
    environment = cluster(greet="echo first >&2; echo last >&2; exit 3", mute="exit 4")
    assert ask(["greet"], environment).trouble == "greet: last"
    assert ask(["mute"], environment).trouble == "mute: exit status 4"


def test_a_silent_program_and_its_children_are_ended(cluster, tmp_path, monkeypatch):
    environment = cluster(wait="exec 3> open\n/bin/sleep 9999 &\n/bin/sleep 9999")
    monkeypatch.chdir(tmp_path)
    os.mkfifo("open")
    reader = os.open("open", os.O_RDONLY | os.O_NONBLOCK)
    answer = ask(["wait"], environment, seconds=0.5)
    assert answer.trouble == "wait: no answer in 0.5 s"
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # at the end: nobody is left who could write
    os.close(reader)


def test_a_program_that_can_not_start(cluster):
    environment = cluster(odd="")
    Path(environment["PATH"], "odd").write_text("#!/no/such/shell\n")
    assert "can't be started" in ask(["odd"], environment).trouble
