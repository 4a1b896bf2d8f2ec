"""Combine the summaries of partitions to those of a target."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sdssflow.acquire.schema import CLASSES
from sdssflow.estimate.layout import Z_BINS, Z_STEP
from sdssflow.prepare.feature_columns import ALL_BANDS
from sdssflow.tables import read_parquet

MOST_NAMED = 5


def read_summaries(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """Read the summaries that rule estimate_partition wrote."""
    return [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]


def listing(
    names: Sequence[str],
    paths: Sequence[str],
    summaries: Sequence[dict[str, Any]],
    repeated: Mapping[str, str],
) -> pd.DataFrame:
    """Return one row per partition.

    Columns: ``partition, path, rows, kept, bytes_per_object, pdf_bytes_per_object, refused,
    repeated``; `refused` is the reason why a partition was set aside, `repeated` the objects that
    an earlier one has as well (`repeats.repeats_across`).
    """
    rows = []
    for name, path, summary in zip(names, paths, summaries, strict=True):
        numbers, kept = summary["numbers"], summary["numbers"].get("kept", 0)
        rows.append(
            {
                "partition": name,
                "path": path,
                "rows": numbers.get("rows", 0),
                "kept": kept,
                "bytes_per_object": round(summary["bytes"] / max(kept, 1), 1),
                "pdf_bytes_per_object": round(summary["pdf_bytes"] / max(kept, 1), 1),
                "refused": summary["refused"],
                "repeated": repeated.get(name, ""),
            }
        )
    return pd.DataFrame(rows)


def flow_of(summaries: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return ``what, objects, share``: input rows, their defects, cuts, estimates and flags.

    Shares are of the input rows, those of estimates and flags of the kept objects.
    """
    numbers: Counter[str] = Counter()
    for summary in summaries:
        numbers.update(summary["numbers"])
    rows, kept = numbers["rows"], numbers["kept"]
    refused = sum(summary["refused"] != "" for summary in summaries)
    found: list[tuple[str, int, int | None]] = [
        ("partitions", len(summaries), None),
        ("partitions set aside", refused, None),
        ("rows as they came", rows, rows),
    ]
    defects: Counter[str] = Counter()
    for one in chain.from_iterable(summary.get("defects", ()) for summary in summaries):
        defects[f"{one['column']}: {one['defect']}, {one['action']}"] += one["count"]
    found += [(what, count, rows) for what, count in defects.items()]
    cuts = [summary["cuts"] for summary in summaries if summary["cuts"]]
    for number, cut in enumerate(cuts[0] if cuts else []):
        removed = sum(partition[number]["removed"] for partition in cuts)
        found.append((f"removed by: {cut['cut']}", removed, rows))
    found.append(("kept", kept, rows))
    for key, what in WORDS.items():
        if key in numbers:
            found.append((what, numbers[key], kept))
    bins = sorted(key for key in numbers if key.startswith("bin_"))
    found += [(f"in tomographic bin {key[4:]}", numbers[key], kept) for key in bins]
    return pd.DataFrame(
        [
            {"what": what, "objects": count, "share": count / total if total else float("nan")}
            for what, count, total in found
        ]
    )


WORDS = {
    "missing_any": "a needed band is missing",
    **{f"missing_{band}": f"{band} is missing" for band in ALL_BANDS},
    "classified": "with class probabilities",
    **{f"class_{name}": f"most probably {name}" for name in CLASSES},
    "with_zphot": "with p(z)",
    "outside_training": "outside of the training part",
    "outside_bins": "in no tomographic bin",
}


def sky_of(paths: Iterable[str | Path]) -> pa.Table:
    """Return ``cell, objects, stars, width, zphot_median`` of the target.

    `stars` is the mean probability to be a star, NaN without class probabilities; `width` the mean
    of half the 68 % interval over 1 + zphot, NaN without p(z).
    """
    table = pa.concat_tables(read_parquet(path) for path in paths)
    cells, row_of = np.unique(table["cell"].to_numpy(), return_inverse=True)

    def summed(name: str) -> np.ndarray:
        return np.bincount(row_of, table[name].to_numpy(), len(cells))

    zphot = np.zeros((len(cells), Z_BINS), np.int64)
    counts = table["zphot"].combine_chunks().flatten().to_numpy()
    np.add.at(zphot, row_of, counts.reshape(-1, Z_BINS))
    objects, classified = (summed(name) for name in ("objects", "classified"))
    with_zphot = zphot.sum(axis=1)
    half = np.argmax(np.cumsum(zphot, axis=1) * 2 >= np.maximum(with_zphot, 1)[:, None], axis=1)
    with np.errstate(invalid="ignore"):
        return pa.table(
            {
                "cell": cells,
                "objects": objects.astype(np.int64),
                "stars": np.where(classified, summed("stars"), np.nan) / classified,
                "width": np.where(with_zphot, summed("width"), np.nan) / with_zphot,
                "zphot_median": np.where(with_zphot, (half + 0.5) * Z_STEP, np.nan),
            }
        )


def left_over(folder: Path, kept: Iterable[str | Path]) -> list[Path]:
    """Return the files of estimates in a folder that are not among those to be kept."""
    known = {Path(path).name for path in kept}
    files = [path for path in folder.iterdir() if path.suffix in (".parquet", ".hdf5")]
    return sorted(path for path in files if path.name not in known and path.name[0] != ".")


def require_complete(listed: pd.DataFrame, target: str) -> None:
    """Raise ValueError if partitions of a target were set aside or repeat objects, with reasons."""
    named = f"results/{target}/partitions.csv"
    refused = _reasons(listed, "refused")
    if refused:
        raise ValueError(
            f"target {target}: {sum(map(len, refused.values()))} of {len(listed)} partitions were "
            f"set aside, the others are estimated ({named}).\n{_lines(refused)}"
        )
    repeated = _reasons(listed, "repeated")
    if repeated:
        raise ValueError(
            f"target {target}: objects are in two partitions ({named}); remove the repetitions, or "
            f"objid from source.columns.\n{_lines(repeated)}"
        )


def _reasons(listed: pd.DataFrame, column: str) -> dict[str, list[str]]:
    """Return the names of partitions by the reason in a column."""
    with_reason = listed[listed[column] != ""]
    return with_reason.groupby(column, sort=False)["partition"].agg(list).to_dict()


def _lines(reasons: Mapping[str, list[str]]) -> str:
    lines = [
        f"{', '.join(names[:MOST_NAMED])}{' ...' if len(names) > MOST_NAMED else ''}: {why}"
        for why, names in reasons.items()
    ]
    return "\n".join(lines[:MOST_NAMED])
