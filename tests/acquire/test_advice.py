"""Each piece of advice in each message, followed to the letter, ends at a catalogue."""

import copy

import pytest

from tests.acquire.following import ADVICE, Attempt, matching, way_out
from tests.acquire.list_bad_inputs import CASES

MOST_WAYS = max(len(advice.ways) for advice in ADVICE)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_advice_leads_to_a_catalogue(case, tmp_path):
    for number in range(MOST_WAYS):
        folder = tmp_path / str(number)
        folder.mkdir()
        attempt = Attempt(case.make(folder), copy.deepcopy(case.settings))
        first = matching(attempt.message())
        assert first is not None, f"no way in ADVICE for: {attempt.message()}"
        if number < len(first[0].ways):
            assert way_out(attempt, number)


def test_each_advice_is_given_by_some_message(tmp_path):
    given = set()
    for number, case in enumerate(CASES):
        folder = tmp_path / str(number)
        folder.mkdir()
        text = Attempt(case.make(folder), copy.deepcopy(case.settings)).message()
        found = matching(text)
        given.add(found[0].pattern if found else None)
    chained = {r"Say in source\.class_labels"}
    assert {advice.pattern for advice in ADVICE} - given <= chained
