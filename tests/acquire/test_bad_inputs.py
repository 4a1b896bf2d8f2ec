import pytest

from tests.acquire.list_bad_inputs import CASES, message


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_message_names_file_problem_and_remedy(case, tmp_path):
    text = message(case, tmp_path)
    assert text, "the input was taken"
    assert text.startswith(str(tmp_path / "photo."))
    for fragment in case.fragments:
        assert fragment in text
    # problem and advice are two sentences
    assert text.endswith(".") and ". " in text.removeprefix(str(tmp_path))
    # a message is for a human: no page-long dump
    assert len(text.replace(str(tmp_path), "")) < 600


def test_there_are_many_and_distinct_ones():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 60
