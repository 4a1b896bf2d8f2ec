"""The simulated sky with some odd objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from skyserver_standin.sky.conventions import PHOTOOBJ, SPECOBJ
from skyserver_standin.sky.infrared import WISE
from skyserver_standin.sky.oddities import ODDITIES, Oddities
from skyserver_standin.sky.plates import blocks_of_plates, plan_plates
from skyserver_standin.sky.simulation import (
    BLOCK_ROWS,
    SPECTRA_FURTHER,
    check_size,
    make_block,
    write_tables,
)

ODDITIES_STREAM = 4  # a random stream other than those of `simulation`


def simulate_oddities(folder: str | Path, objects: int, seed: int, oddities: int) -> None:
    """Write the tables of `simulate_sky` with some objects made odd, and a list of these.

    ``oddities.parquet`` has their objid and kind (`skyserver_standin.sky.oddities`). All other
    objects and arguments are those of `simulate_sky`. ValueError if `oddities` is negative or more
    than half of the objects.
    """
    if not 0 <= oddities <= objects // 2:
        raise ValueError(f"oddities={oddities} must be from 0 to half of objects={objects}")
    write_tables(
        folder,
        {"specobj": SPECOBJ, "photoobj": PHOTOOBJ, "wise": WISE, "oddities": ODDITIES},
        odd_blocks(objects, seed, oddities),
    )


def odd_blocks(
    objects: int, seed: int, oddities: int, rows: int = BLOCK_ROWS
) -> Iterator[tuple[pa.Table, ...]]:
    """Yield the blocks of `sky_blocks` with oddities in proportion to spectra, and their list."""
    check_size(objects, seed)
    plates = plan_plates(objects, np.random.default_rng([seed, 0]))
    total, before = int(plates.spectra.sum()), 0
    for number, block in enumerate(blocks_of_plates(plates, rows)):
        after = before + int(plates.spectra[block].sum())
        count = oddities * after // total - oddities * before // total
        before = after
        further = np.random.default_rng([seed, number, SPECTRA_FURTHER])
        odd = Oddities(count, np.random.default_rng([seed, number, ODDITIES_STREAM]))
        made = make_block(plates, block, np.random.default_rng([seed, 1 + number]), further, odd)
        yield *made, odd.table()
