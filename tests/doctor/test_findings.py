import json
import os
import sys

from sdssflow.doctor.findings import FAULT, OK, WARNING, Finding, as_json, as_table, ask

ROWS = [
    Finding("python", OK, "Python 3.11"),
    Finding("disk", FAULT, "no room at all on the disk of the run", "make room `key-with-hyphens`"),
]


def test_a_program_answers_or_its_last_line_says_why_not(programs):
    folder = programs(greet='echo "hello $1"', fail="echo first >&2; echo last >&2; exit 3",
                      mute="exit 4", odd="")  # fmt: skip
    (folder / "odd").write_text("#!/no/such/shell\n")
    answer = ask(["greet", "you"])
    assert answer.good and answer.out == "hello you\n"
    assert ask(["fail"]).trouble == "fail: last"
    assert ask(["mute"]).trouble == "mute: exit status 4"
    assert ask(["none"]).trouble == "no none on PATH"
    assert "can't be started" in ask(["odd"]).trouble


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


def test_table_keeps_to_its_width_and_loses_no_word():
    for width in (60, 80, 200):
        table = as_table(ROWS, width)
        assert max(map(len, table.splitlines())) <= width
        words = " ".join(table.split())
        for row in ROWS:
            assert all(word in words for word in f"{row.found} {row.advice}".split())


def test_table_counts_what_is_wrong():
    assert as_table(ROWS).endswith("1 fault.")
    assert as_table([Finding("a", WARNING, "b")] * 2 + ROWS).endswith("1 fault and 2 warnings.")
    assert as_table(ROWS[:1]).endswith("No obstacle to a run was found.")


def test_json_has_the_same_rows_and_the_worst_state():
    content = json.loads(as_json(ROWS))
    assert content["state"] == FAULT
    assert [row["check"] for row in content["findings"]] == ["python", "disk"]
    assert content["findings"][1]["advice"] == ROWS[1].advice


def test_without_tabulate_there_is_still_a_list(monkeypatch):
    monkeypatch.setitem(sys.modules, "tabulate", None)
    first, second, last = as_table(ROWS).splitlines()
    assert first == "python: ok: Python 3.11"
    assert second.startswith("disk: fault: no room") and last == "1 fault."
