"""Each message names file, problem and remedy; its advice, followed to the letter, leads out."""

import copy
import re

import pytest

from sdssflow.acquire.files import containers
from tests.acquire.files import bad_binary, bad_inputs, bad_texts
from tests.acquire.files.following import ADVICE, Attempt, follow, ways_of

CASES = [*bad_texts.CONTAINERS, *bad_texts.TEXTS, *bad_inputs.CASES, *bad_binary.CASES]
CHAINED = {r"Map it to a class in source\.class_labels"}  # only follows another message


@pytest.fixture(scope="module")
def given():
    """The advice that the messages of all cases gave so far."""
    return []


def attempt(case, folder):
    folder.mkdir()
    return Attempt(case.make(folder), copy.deepcopy(case.settings))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_message_names_the_trouble_and_its_advice_leads_out(case, given, tmp_path, monkeypatch):
    if case in bad_binary.CASES:
        monkeypatch.setattr(containers, "ALWAYS_READ", 1 << 20)
    first = attempt(case, tmp_path / "0")
    text = first.message()
    assert text, "the input was taken"
    assert text.startswith(str(tmp_path))
    for fragment in case.fragments:
        assert fragment in text
    # problem and advice are two sentences, for a human: no page-long dump
    assert text.endswith(".") and ". " in text.removeprefix(str(tmp_path))
    assert len(text.replace(str(tmp_path), "")) < 600
    given.append(text)
    if case.name in bad_binary.NO_WAY:
        return
    for number in range(max(len(ways_of(text)), 1)):
        assert follow(first, number)
        first = attempt(case, tmp_path / str(number + 1))


def test_each_advice_is_given_by_some_message(given):
    if len(given) < len(CASES):
        pytest.skip("not all cases ran")
    unused = {
        advice.pattern
        for advice in ADVICE
        if not any(re.search(advice.pattern, text) for text in given)
    }
    assert unused <= CHAINED
