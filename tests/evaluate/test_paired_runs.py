import numpy as np
import pandas as pd
import pytest

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import RedshiftScores
from sdssflow.evaluate import redshifts
from sdssflow.evaluate.paired_runs import common_objects, paired_differences
from sdssflow.evaluate.tables import Predictions

SCORER = redshifts.scorer(RedshiftScores())
BOOTSTRAP = Bootstrap(replicates=50)


def predictions(noise, rows=300, seeds=(1,)):
    """Redshifts of the same objects, each as far off as its own noise, times `noise`."""
    generator = np.random.default_rng(3)
    error, zspec = generator.standard_normal(rows), generator.uniform(0.05, 0.3, rows)
    one = pd.DataFrame({"row_id": np.arange(rows), "fold": 0, "zspec": zspec})
    one = one.assign(zphot=zspec + noise * error, reference_mag=np.float32(17))
    one["group"] = one["row_id"].astype(str)
    one.loc[0, "reference_mag"] = np.nan
    frame = pd.concat([one.assign(seed=seed) for seed in seeds], ignore_index=True)
    return Predictions("model", frame, dict.fromkeys(seeds, "digest"))


def of(table, metric):
    return table.set_index("metric").loc[metric]


def test_a_difference_is_paired_and_its_interval_narrower_than_that_of_the_scores():
    pair = common_objects(predictions(0.02), predictions(0.021))
    table = paired_differences(*pair, SCORER, BOOTSTRAP)
    row = of(table, "sigma_nmad")
    assert row["first"] < row["second"]
    assert row["difference"] == pytest.approx(row["second"] - row["first"])
    assert 0 < row["lower"] < row["difference"] < row["upper"]
    assert row["n"] == 300
    same = paired_differences(*common_objects(*[predictions(0.02)] * 2), SCORER, BOOTSTRAP)
    assert (same[["difference", "lower", "upper"]] == 0).to_numpy().all()


def test_objects_are_joined_whatever_their_order_and_fold():
    first, second = predictions(0.02, seeds=(1, 2)), predictions(0.02, seeds=(2, 3))
    shuffled = second.frame.sample(frac=1, random_state=1).assign(fold=4)
    pair = common_objects(first, Predictions("model", shuffled, second.test_digests))
    assert pair[0].seeds == pair[1].seeds == [2]
    assert pair[0].frame["row_id"].tolist() == pair[1].frame["row_id"].tolist()
    assert pair[0].frame["zphot"].tolist() == pair[1].frame["zphot"].tolist()
    assert len(pair[0].frame) == 300


@pytest.mark.parametrize("column", ["zspec", "group", "reference_mag"])
def test_a_row_of_the_same_number_that_is_another_object_is_none(column):
    first, second = predictions(0.02), predictions(0.02)
    second.frame[column] = second.frame[column].iloc[::-1].to_numpy()
    pair = common_objects(first, second)
    if column == "reference_mag":  # but the one without, all are alike
        assert len(pair[0].frame) == 298
    else:
        assert pair is None
