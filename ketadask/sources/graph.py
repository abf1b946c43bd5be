"""How volumes become a Dask array.

One task reads one file of many participants (a group table) or the folder of one participant
(``*.stats``). A group table is read once: its regions become columns of the array, and the
volumes of the whole brain that every table repeats are merged by one more task, which also checks
that the tables agree. Nothing is read until somebody computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dask
import dask.array as da
import numpy as np

from ketadask.sources.fs_stats import check_equal, read_folder
from ketadask.sources.fs_tables import VolumeTable, read_volumes
from ketadask.sources.regions import GLOBALS, ORDER


def volumes_of_tables(
    tables: Sequence[VolumeTable], participants: np.ndarray
) -> tuple[da.Array, list[str]]:
    """Return volumes (participant, region), one block of columns per table, and the regions."""
    people = len(participants)
    blocks, regions = [], []
    read = dask.delayed(read_volumes, pure=True)
    tasks = [read(table, participants) for table in tables]
    for table, task in zip(tables, tasks, strict=True):
        own = [j for j, region in enumerate(table.regions) if region not in GLOBALS]
        if own:
            blocks.append(_block(task[:, own], (people, len(own))))
            regions += [table.regions[j] for j in own]
    repeated = [g for g in GLOBALS if any(g in table.regions for table in tables)]
    if repeated:
        merged = dask.delayed(merge_repeated, pure=True)(
            tasks, list(tables), repeated, participants
        )
        blocks.append(_block(merged, (people, len(repeated))))
        regions += repeated
    return da.concatenate(blocks, axis=1), regions


def volumes_of_folders(folders: Sequence[Path]) -> tuple[da.Array, list[str]]:
    """Return volumes (participant, region), one block of one row per folder, and the regions."""
    read = dask.delayed(read_folder, pure=True)
    return da.concatenate([_block(read(f), (1, len(ORDER))) for f in folders]), list(ORDER)


def _block(task: object, shape: tuple[int, int]) -> da.Array:
    return da.from_delayed(task, shape=shape, dtype=np.float64)


def merge_repeated(
    volumes: Sequence[np.ndarray],
    tables: Sequence[VolumeTable],
    repeated: Sequence[str],
    participants: np.ndarray,
) -> np.ndarray:
    """Return volumes (participant, region) that several tables repeat, after checking them."""
    merged = np.full((len(participants), len(repeated)), np.nan)
    for j, name in enumerate(repeated):
        source: list[object] = [None] * len(participants)
        for table, values in zip(tables, volumes, strict=True):
            if name not in table.regions:
                continue
            column = values[:, table.regions.index(name)]
            for row in np.flatnonzero(~np.isnan(column)):
                if source[row] is None:
                    merged[row, j], source[row] = column[row], table.path
                place = f"{table.path}: {participants[row]}"
                check_equal(name, (merged[row, j], source[row]), (column[row], place))
    return merged
