from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from sdssflow.configuration.networks import MixtureEnsemble, SettingsSearch
from sdssflow.regress import ensemble_training, settings_search
from sdssflow.regress.settings_search import draw_candidates, search_settings, share_out
from tests.regress import survey

CPU = torch.device("cpu")
SEARCH = SettingsSearch(
    hidden=[[4], [8, 8]],
    learning_rate=[1e-6, 0.02],
    noise=[],
    candidates=4,
    first_epochs=2,
    members=2,
)
SETTINGS = MixtureEnsemble(
    kind="mixture_ensemble", hidden=[8], components=2, max_epochs=8, batch_size=32, search=SEARCH
)
TRAIN, VALIDATION = survey.part(400, 1), survey.part(150, 2)


def test_the_configured_settings_stand_first_and_no_candidate_twice():
    wide = SEARCH.model_copy(update={"candidates": 99})
    candidates = draw_candidates(SETTINGS, wide, 1, survey.NAMES)
    assert candidates[0]["hidden"] == [8] and candidates[0]["learning_rate"] == 0.01
    assert len(candidates) == 5  # all combinations, and the configured one, which is none of them
    assert all(candidate not in candidates[:place] for place, candidate in enumerate(candidates))
    assert {candidate["noise"] for candidate in candidates} == {0.5}
    drawn = draw_candidates(SETTINGS, SEARCH, 1, survey.NAMES)
    assert len(drawn) == 4 and drawn == draw_candidates(SETTINGS, SEARCH, 1, survey.NAMES)


def test_noise_alone_is_tried_before_anything_else_and_by_default():
    search = SettingsSearch(hidden=[[4], [8]], candidates=3)
    candidates = draw_candidates(SETTINGS, search, 1, survey.NAMES)
    assert [c["noise"] for c in candidates[:2]] == [0.5, 0.0]
    assert [c["hidden"] for c in candidates] == [[8], [8], [4]]
    default = MixtureEnsemble(kind="mixture_ensemble").search
    assert len(draw_candidates(SETTINGS, default, 1, survey.NAMES)) == 2


def test_without_errors_there_is_no_noise_to_choose_and_nothing_is_trained(monkeypatch):
    monkeypatch.setattr(ensemble_training, "fit", None)
    settings = SETTINGS.model_copy(update={"search": SettingsSearch()})
    train = replace(TRAIN, features=TRAIN.features[:, :5], feature_names=survey.NAMES[:5])
    chosen, table = search_settings(settings, 1, train, VALIDATION, CPU)
    assert chosen == settings and table.empty


def test_noise_that_blurs_what_is_measured_is_not_chosen():
    """Errors ten times too large: who adds them to each row hides what the rows show."""
    settings = SETTINGS.model_copy(update={"search": SettingsSearch(first_epochs=8)})
    features = TRAIN.features.copy()
    features[:, 5:] *= 10
    train = replace(TRAIN, features=features)
    chosen, table = search_settings(settings, 1, train, TRAIN.subset(slice(0)), CPU)
    assert chosen.noise == 0 and table["difference"].iloc[1] < 0


@pytest.mark.parametrize(("gain", "hidden"), [(0.01, [8]), (0.05, [4])])
def test_other_settings_must_beat_the_configured_ones_with_the_noise_that_suits(
    gain, hidden, monkeypatch
):
    def crps(candidate, *_):
        scatter = np.tile([-0.1, 0.1], 200)  # of paired differences: two standard errors are 0.01
        better = 0.2 * (candidate.noise == 0) + gain * (candidate.hidden == [4])
        return 1 - better + scatter * (candidate.hidden == [4])

    monkeypatch.setattr(settings_search, "_crps", crps)
    search = SettingsSearch(hidden=[[4]], candidates=9)
    settings = SETTINGS.model_copy(update={"search": search})
    chosen, table = search_settings(settings, 1, TRAIN, VALIDATION, CPU)
    assert (chosen.noise, chosen.hidden) == (0, hidden)
    assert table["difference"].min() < -0.15


def test_a_small_validation_part_is_joined_by_whole_groups_of_the_train_part():
    train = replace(TRAIN, group_key=pa.chunked_array([[str(row // 2) for row in range(400)]]))
    learnt, judged = share_out(train, VALIDATION.subset(slice(60)), 1)
    assert 100 <= len(judged.zspec) < 145 and len(learnt) + len(judged.zspec) == 460
    assert all((learnt.group == group).sum() == 2 for group in set(learnt.group))
    enough = survey.part(100, 3)
    learnt, judged = share_out(train, enough, 1)
    assert len(learnt) == 400 and judged.zspec.tolist() == enough.zspec.tolist()


def test_halving_gives_fewer_candidates_more_epochs():
    _, table = search_settings(SETTINGS, 1, TRAIN, VALIDATION, CPU)
    rounds = table.groupby("round").agg(candidates=("crps", "size"), epochs=("epochs", "first"))
    assert rounds["candidates"].tolist() == [4, 2]
    assert rounds["epochs"].tolist() == [2, 4]
    first = table[table["round"] == 1]
    assert first["kept"].sum() == 2 and first["kept"].iloc[0]
    assert table[table["round"] == 2]["kept"].sum() == 1
    assert (first["difference"].iloc[0], first["standard_error"].iloc[0]) == (0, 0)


def test_settings_that_learn_nothing_are_left_for_better_ones():
    settings = SETTINGS.model_copy(update={"learning_rate": 1e-6})
    chosen, table = search_settings(settings, 1, TRAIN, VALIDATION, CPU)
    assert chosen.learning_rate == 0.02
    assert chosen.max_epochs == 8 and chosen.members == settings.members  # only what is searched
    best = table[(table["round"] == 2) & table["kept"]].iloc[0]
    assert best["difference"] < -2 * best["standard_error"]


@pytest.mark.parametrize(("gain", "changes"), [(1.5, False), (3.0, True)])
def test_a_difference_within_two_standard_errors_changes_nothing(gain, changes):
    scatter = np.tile([-1.0, 1.0], 75)  # of the paired differences: a standard error of 0.082
    crps = np.stack([np.full(150, 5.0), 5 - gain * 0.082 + scatter])
    assert settings_search._winner(crps) == int(changes)


def test_validation_redshifts_are_not_learnt_from(monkeypatch):
    """With other validation redshifts the trained candidates, hence their p(z), are the same."""
    seen = []
    original = ensemble_training.LoadedEnsemble.predict_pdf

    def remember(*arguments):
        seen.append(original(*arguments))
        return seen[-1]

    monkeypatch.setattr(ensemble_training.LoadedEnsemble, "predict_pdf", remember)
    search_settings(SETTINGS, 1, TRAIN, VALIDATION, CPU)
    count = len(seen)
    shuffled = VALIDATION.subset(slice(None))
    shuffled.zspec[:] = np.random.default_rng(0).permutation(shuffled.zspec)
    search_settings(SETTINGS, 1, TRAIN, shuffled, CPU)
    for before, after in zip(seen[:4], seen[count : count + 4], strict=True):
        np.testing.assert_array_equal(before.means, after.means)


def test_the_table_is_reproducible():
    tables = [search_settings(SETTINGS, 3, TRAIN, VALIDATION, CPU)[1] for _ in range(2)]
    pd.testing.assert_frame_equal(*tables)


def test_candidates_differ_from_the_configured_networks_in_what_is_tried_only(monkeypatch):
    seen = []
    original = ensemble_training.fit

    def remember(settings, *others):
        seen.append(settings)
        return original(settings, *others)

    monkeypatch.setattr(ensemble_training, "fit", remember)
    settings = SETTINGS.model_copy(update={"activation": "silu", "noise_aware": True})
    search_settings(settings, 1, TRAIN, VALIDATION, CPU)
    assert all(s.activation == "silu" and s.noise_aware and s.batch_size == 32 for s in seen)
    assert {tuple(s.hidden) for s in seen} == {(8,), (4,), (8, 8)}


def test_a_large_sample_is_learnt_by_networks_twice_as_wide(monkeypatch):
    monkeypatch.setattr(ensemble_training, "fit", None)
    train = replace(TRAIN, features=TRAIN.features[:, :5], feature_names=survey.NAMES[:5])
    for wide_from, hidden, rate in ((550, [16], 0.005), (551, [8], 0.01), (None, [8], 0.01)):
        settings = SETTINGS.model_copy(update={"search": SettingsSearch(wide_from=wide_from)})
        chosen, _ = search_settings(settings, 1, train, VALIDATION, CPU)
        assert (chosen.hidden, chosen.learning_rate) == (hidden, rate)
