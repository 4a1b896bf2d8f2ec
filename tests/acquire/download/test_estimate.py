import pandas as pd

from sdssflow.acquire.download.estimate import estimate
from tests.acquire.download.walk import NETWORK, download, source

MINUTE = NETWORK.model_copy(update={"pause_s": 60.0})


def test_the_queries_of_a_download_are_those_that_were_estimated(server, tmp_path):
    asked = source(chunks=3, expected={"rows": 1900, "according_to": "the sky"})
    download(server.url, tmp_path, asked)
    (row,) = estimate({"mine": asked}, MINUTE).to_dict("records")
    assert row["queries"] == len(server.log)
    assert row["waiting_min"] == row["queries"]
    assert (row["sample"], row["rows"]) == ("mine", 1900)


def test_a_limit_is_the_most_and_what_nobody_knows_is_missing():
    known = source(limit=50, expected={"rows": 10**6, "according_to": "someone"})
    table = estimate({"few": known, "unknown": source()}, NETWORK)
    assert table.loc[0, "rows"] == 50
    assert pd.isna(table.loc[1, "rows"]) and pd.isna(table.loc[1, "disk_gb"])
    assert "not known" in table.loc[1, "according_to"]


def test_more_rows_take_more_of_everything():
    small, large = (source(expected={"rows": n, "according_to": "x"}) for n in (10**6, 5 * 10**6))
    table = estimate({"small": small, "large": large}, NETWORK)
    for column in ("queries", "transfer_min", "disk_gb"):
        assert table.loc[1, column] > table.loc[0, column]
