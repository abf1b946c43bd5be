"""How volumes become a Dask array.

One task reads one file of many participants (a group table) or the folder of one participant
(``*.stats``). A group table is read once: its regions become columns of the array, and the
volumes of the whole brain that every table repeats are merged by one more task, which also checks
that the tables agree. Nothing is read before ``compute``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dask.array as da
import numpy as np
from dask.delayed import delayed

from ketadask.sources.fs_stats import check_equal, read_stats_folder, read_stats_regions
from ketadask.sources.region_tables import RegionTable, read_regions
from ketadask.sources.regions import GLOBALS, ORDER


def volumes_of_tables(
    tables: Sequence[RegionTable], participants: np.ndarray
) -> tuple[da.Array, list[str]]:
    """Return volumes (participant, region), one block of columns per table, and the regions."""
    blocks, regions = [], []
    read = delayed(read_regions, pure=True)
    tasks = [read(table, participants) for table in tables]
    for table, task in zip(tables, tasks, strict=True):
        own = [j for j, region in enumerate(table.regions) if region not in GLOBALS]
        if own:
            blocks.append(_block(task[:, own], (len(participants), len(own))))
            regions += [table.regions[j] for j in own]
    common = [region for region in GLOBALS if any(region in table.regions for table in tables)]
    if common:
        merge = delayed(merge_globals, pure=True)
        volumes = merge(tasks, list(tables), common, participants)
        blocks.append(_block(volumes, (len(participants), len(common))))
        regions += common
    return da.concatenate(blocks, axis=1), regions  # type: ignore[no-untyped-call]


def volumes_of_folders(folders: Sequence[Path]) -> tuple[da.Array, list[str]]:
    """Return volumes (participant, region), one block of one row per folder, and the regions."""
    read = delayed(read_stats_folder, pure=True)
    rows = [_block(read(folder), (1, len(ORDER))) for folder in folders]
    return da.concatenate(rows), list(ORDER)  # type: ignore[no-untyped-call]


def regions_of_folders(
    folders: Sequence[Path | None], atlas: str, measure: str, regions: Sequence[str]
) -> da.Array:
    """Return a measure (row, region), one block per folder, NaN where a row has no folder."""
    read = delayed(_folder_regions, pure=True)
    rows = [_block(read(f, atlas, measure, list(regions)), (1, len(regions))) for f in folders]
    return da.concatenate(rows)  # type: ignore[no-untyped-call, no-any-return]


def _folder_regions(
    folder: Path | None, atlas: str, measure: str, regions: list[str]
) -> np.ndarray:
    values = {} if folder is None else read_stats_regions(folder, atlas, measure)
    return np.array([[values.get(region, np.nan) for region in regions]])


def _block(task: object, shape: tuple[int, int]) -> da.Array:
    block: da.Array = da.from_delayed(task, shape, np.float64)  # type: ignore[no-untyped-call]
    return block


def merge_globals(
    volumes: Sequence[np.ndarray],
    tables: Sequence[RegionTable],
    regions: Sequence[str],
    participants: np.ndarray,
) -> np.ndarray:
    """Return volumes (participant, region) that several tables repeat, after checking them."""
    union = np.full((len(participants), len(regions)), np.nan)
    for j, region in enumerate(regions):
        sources: list[object] = [None] * len(participants)
        for table, values in zip(tables, volumes, strict=True):
            if region not in table.regions:
                continue
            column = values[:, table.regions.index(region)]
            for row in np.flatnonzero(~np.isnan(column)):
                if sources[row] is None:
                    union[row, j], sources[row] = column[row], table.path
                where = f"{table.path}: {participants[row]}"
                check_equal(region, (union[row, j], sources[row]), (column[row], where))
    return union
