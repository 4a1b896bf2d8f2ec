import os

from sdssflow.doctor.commands import ask


def test_good_answer(programs):
    programs(greet='echo "hello $1"')
    answer = ask(["greet", "you"])
    assert answer.good and answer.out == "hello you\n"


def test_no_such_program(programs):
    programs()
    assert ask(["greet"]).trouble == "no greet on PATH"


def test_failure_is_its_last_line(programs):
    programs(greet="echo first >&2; echo last >&2; exit 3", mute="exit 4")
    assert ask(["greet"]).trouble == "greet: last"
    assert ask(["mute"]).trouble == "mute: exit status 4"


def test_a_silent_program_and_its_children_are_ended(programs, tmp_path, monkeypatch):
    programs(wait="exec 3> open\n/bin/sleep 9999 &\n/bin/sleep 9999")
    monkeypatch.chdir(tmp_path)
    os.mkfifo("open")
    reader = os.open("open", os.O_RDONLY | os.O_NONBLOCK)
    answer = ask(["wait"], seconds=0.5)
    assert answer.trouble == "wait: no answer in 0.5 s"
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # at the end: nobody is left who could write
    os.close(reader)


def test_a_program_that_can_not_start(programs):
    (programs(odd="") / "odd").write_text("#!/no/such/shell\n")
    assert "can't be started" in ask(["odd"]).trouble
