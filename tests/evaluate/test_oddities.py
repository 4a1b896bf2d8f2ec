"""Rankings scored by what was made odd: average precision, recall and chance."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import average_precision_score

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.evaluate.oddities import RANKINGS, average_precision, oddity_scores

BOOTSTRAP = Bootstrap(replicates=100)
N, ODD = 1000, 40


def tables(shift, seed=0, injected=ODD):
    generator = np.random.default_rng(seed)
    odd = np.zeros(N, dtype=bool)
    odd[generator.choice(N, ODD, replace=False)] = True
    score = generator.normal(size=N) + shift * odd
    row_id = 5000 + generator.permutation(N)
    outliers = dict.fromkeys(RANKINGS, score) | {"combined": -score}
    objid = row_id + (1 << 60)
    kinds = ["band", "blend"] * (injected // 2)
    away = np.arange(injected - ODD)  # of objects that the cuts removed
    return (
        pa.table({"row_id": row_id, **outliers}),
        pa.table({"row_id": row_id[::-1], "objid": objid[::-1]}),
        pa.table({"objid": np.concatenate([objid[odd], away]), "kind": kinds}),
        odd,
        score,
    )


def test_scores_are_those_of_scikit_learn():
    *some, odd, score = tables(1.5)
    table = oddity_scores(*some, BOOTSTRAP)
    rows = table[table.score == "average precision"]
    assert rows.ranking.tolist() == list(RANKINGS)
    np.testing.assert_allclose(rows.value, average_precision_score(odd, score), rtol=1e-12)
    assert (rows.lower < rows.value).all() and (rows.value < rows.upper).all()
    recall = table[(table.score == "recall at N") & (table.kind == "all")].iloc[0]
    assert recall.value == odd[np.argsort(-score)[:ODD]].mean()
    assert recall.chance == ODD / N and recall.oddities == ODD


def test_a_random_ranking_is_at_chance_and_its_interval_holds_it():
    held = []
    for seed in range(12):
        *some, _, _ = tables(0.0, seed)
        row = oddity_scores(*some, BOOTSTRAP).iloc[0]
        held.append(row.lower <= row.chance * 1.6 and row.upper >= row.chance)
    assert np.mean(held) >= 0.75


def test_kinds_are_told_apart_and_those_removed_are_counted():
    *some, _, _ = tables(1.5, injected=60)
    table = oddity_scores(*some, BOOTSTRAP)
    assert set(table.kind) == {"all", "band", "blend"}
    every = table[table.kind == "all"].iloc[0]
    assert (every.injected, every.oddities, every.n) == (60, ODD, N)
    of_kinds = table[(table.kind != "all") & (table.ranking == "combined")]
    assert of_kinds.oddities.sum() == ODD and of_kinds.injected.sum() == 60


def test_none_found_of_a_kind_has_the_exact_interval():
    *some, odd, _ = tables(0.0)
    ranked = some[0].set_column(1, "isolation", pa.array(np.where(odd, -9.0, 0.0)))
    row = oddity_scores(ranked, *some[1:], BOOTSTRAP).iloc[1]
    assert (row.ranking, row.value, row.lower) == ("isolation", 0, 0)
    assert row.upper == pytest.approx(1 - 0.025 ** (1 / ODD))


def test_weights_are_repeated_objects():
    hits = np.array([True, False, True, False, False])
    weights = np.array([[2, 1, 0, 3, 1]])
    score = np.repeat([5, 4, 3, 2, 1], weights[0])
    truth = np.repeat(hits, weights[0])
    expected = average_precision_score(truth, score)
    assert average_precision(hits, weights.astype(float))[0] == pytest.approx(expected)


def test_without_oddities_or_ids_it_is_refused():
    outliers, catalogue, oddities, *_ = tables(1.0)
    with pytest.raises(ValueError, match="none of the 0 odd objects is left among 1000"):
        oddity_scores(outliers, catalogue, oddities.slice(0, 0), BOOTSTRAP)
    with pytest.raises(ValueError, match=r"catalogue: row_id \d+ has no objid"):
        oddity_scores(outliers, catalogue.slice(10), oddities, BOOTSTRAP)
