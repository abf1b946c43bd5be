"""FreeSurfer volumes as one labelled, Dask-backed dataset, whichever files a lab has kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.sources.delimited import unreadable
from ketadask.sources.fs_stats import is_participant_folder
from ketadask.sources.fs_tables import (
    TABLE_ENDINGS,
    check_people,
    is_volume_table,
    open_table,
    participant_of,
)
from ketadask.sources.graph import volumes_of_folders, volumes_of_tables
from ketadask.sources.regions import ORDER, REGIONS


def open_volumes(path: Path | str | Sequence[Path | str]) -> xr.Dataset:
    """Open FreeSurfer volumes; nothing but names is read until somebody computes.

    Parameters
    ----------
    path
        A folder of group tables (``aparcstats2table``, ``asegstats2table``), such tables, or a
        SUBJECTS_DIR with ``<participant>/stats/*.stats``.

    Returns
    -------
    ``volume`` (participant, region) in mm3, NaN where missing; per region the coordinates
    hemisphere (left, right, both), tissue (cortex, white, subcortical, global), atlas (aparc,
    wmparc, aseg) and measure (mm3). Regions have one name whatever version of FreeSurfer wrote
    them; volumes of the whole brain, which every table repeats, are there once. ``attrs``: sources,
    ignored (columns that are no region here) and absent (regions that no table has).
    """
    folders, tables = _inputs(path)
    if folders:
        participants = np.array([participant_of(folder.name) for folder in folders])
        check_people(folders[0].parent, list(enumerate(participants.tolist(), start=1)), "folder")
        array, regions = volumes_of_folders(folders)
        sources = [str(folders[0].parent)]
        ignored: list[str] = []
    else:
        opened = sorted((open_table(table) for table in tables), key=lambda t: ORDER[t.regions[0]])
        _check_regions_once(opened)
        participants = np.unique(np.concatenate([table.participants for table in opened]))
        array, regions = volumes_of_tables(opened, participants)
        sources = [str(table) for table in tables]
        ignored = sorted({name for table in opened for name in table.ignored})
    order = sorted(range(len(regions)), key=lambda j: ORDER[regions[j]])
    if order != list(range(len(regions))):
        array, regions = array[:, order], [regions[j] for j in order]
    return _dataset(array, participants, regions, sources, ignored)


def _dataset(
    array: Any,
    participants: np.ndarray,
    regions: list[str],
    sources: list[str],
    ignored: list[str],
) -> xr.Dataset:
    known = [REGIONS[region] for region in regions]
    return xr.Dataset(
        {
            nm.VOLUME: (
                (nm.PARTICIPANT, nm.REGION),
                array,
                {"units": "mm3", "long_name": "volume"},
            )
        },
        {
            nm.PARTICIPANT: (nm.PARTICIPANT, participants),
            nm.REGION: (nm.REGION, np.array(regions)),
            "hemisphere": (nm.REGION, np.array([region.hemisphere for region in known])),
            "tissue": (nm.REGION, np.array([region.tissue for region in known])),
            "atlas": (nm.REGION, np.array([region.atlas for region in known])),
            "measure": (nm.REGION, np.array(["mm3"] * len(known))),
        },
        {
            "sources": sources,
            "ignored": ignored,
            "absent": [name for name in ORDER if name not in set(regions)],
        },
    )


def _inputs(path: Path | str | Sequence[Path | str]) -> tuple[list[Path], list[Path]]:
    """Return participant folders and group tables; one of the two lists is empty."""
    if not isinstance(path, str | Path):
        return [], [_existing(Path(table)) for table in path]
    root = _existing(Path(path))
    if root.is_file():
        return [], [root]
    inside = _inside(root)
    files = [p for p in inside if p.suffix in TABLE_ENDINGS and p.is_file()]
    tables = [p for p in files if is_volume_table(p)]
    # FreeSurfer's templates (fsaverage, fsaverage5) lie in every SUBJECTS_DIR.
    folders = [p for p in inside if not p.name.startswith("fsaverage") and is_participant_folder(p)]
    if tables and folders:
        raise InputError(
            "holds group tables and participant folders",
            file=root,
            remedy=f"name the tables alone, for example {tables[0]}",
        )
    if not tables and not folders:
        raise InputError(
            "holds neither tables of aparcstats2table or asegstats2table with volumes nor "
            "<participant>/stats/*.stats",
            file=root,
            remedy="name the folder that holds them",
        )
    return folders, tables


def _inside(folder: Path) -> list[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error) from None
    empty = []
    for path in inside:
        try:
            empty += [path] if path.suffix in TABLE_ENDINGS and not path.stat().st_size else []
        except OSError as error:
            raise unreadable(path, error) from None
    folder_for_file = [p for p in inside if p.suffix in (".tsv", ".csv") and p.is_dir()]
    if folder_for_file:
        raise InputError(
            "is a folder, not a table", file=folder_for_file[0], remedy="move it elsewhere"
        )
    if empty:  # nothing says what it held, so it must not be passed over
        raise InputError("the file is empty", file=empty[0], remedy="make it again or remove it")
    return inside


def _existing(path: Path) -> Path:
    try:
        there = path.exists()
    except OSError as error:
        raise unreadable(path, error) from None
    if not there:
        raise InputError("no such file or folder", file=path, remedy="check the path")
    return path


def _check_regions_once(tables: Iterable[Any]) -> None:
    owners: dict[str, Path] = {}
    for table in tables:
        for region in table.regions:
            if REGIONS[region].tissue != "global" and region in owners:
                raise InputError(
                    f"{region} is in two tables",
                    file=table.path,
                    where=f"column {region}",
                    remedy=f"name one table per atlas and hemisphere; also in {owners[region]}",
                )
            owners[region] = table.path


class LazyVolumes(BackendArray):
    """Volumes of which only what is indexed is read, for xarray's own laziness and chunks."""

    def __init__(self, array: Any) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """Return the volumes at ``key`` (participant, region)."""
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        # Already inside one task of xarray's graph: reading must not start another scheduler.
        return np.asarray(self.array[key].compute(scheduler="synchronous"))


class FreeSurferBackend(BackendEntrypoint):
    """Open FreeSurfer volumes by ``xr.open_dataset(path, engine="ketadask-freesurfer")``."""

    description = "FreeSurfer group tables and SUBJECTS_DIR, volumes of aparc, wmparc and aseg"
    open_dataset_parameters = ("filename_or_obj", "drop_variables")

    def open_dataset(
        self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None
    ) -> xr.Dataset:
        """Return what ``open_volumes`` returns; ``chunks={}`` gives one chunk per file."""
        dropped = (
            [drop_variables] if isinstance(drop_variables, str) else list(drop_variables or [])
        )
        opened = open_volumes(filename_or_obj)
        volume = opened[nm.VOLUME].variable
        lazy = xr.Variable(
            volume.dims, indexing.LazilyIndexedArray(LazyVolumes(volume.data)), volume.attrs
        )
        lazy.encoding["preferred_chunks"] = dict(zip(volume.dims, volume.chunks, strict=True))
        return opened.assign({nm.VOLUME: lazy}).drop_vars(dropped, errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether this is a table of volumes, or a folder that holds some."""
        if not isinstance(filename_or_obj, str | Path):
            return False
        path = Path(filename_or_obj)
        try:
            return is_volume_table(path) if path.is_file() else any(_inputs(path))
        except InputError:
            return False
