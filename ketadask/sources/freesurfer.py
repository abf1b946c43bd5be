"""FreeSurfer volumes as one labelled, Dask-backed dataset, from tables or folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from ketadask import names as nm
from ketadask.pipeline.executor import load
from ketadask.schema.errors import InputError
from ketadask.sources.delimited import read_error
from ketadask.sources.fs_stats import is_participant_folder
from ketadask.sources.graph import volumes_of_folders, volumes_of_tables
from ketadask.sources.region_tables import (
    TABLE_ENDINGS,
    check_participants,
    check_regions_once,
    is_volume_table,
    open_volume_table,
    participant_name,
)
from ketadask.sources.regions import ORDER, REGIONS


def open_volumes(path: Path | str | Sequence[Path | str]) -> xr.Dataset:
    """Open FreeSurfer volumes; only names are read before ``compute``.

    Parameters
    ----------
    path
        A folder of group tables (``aparcstats2table``, ``asegstats2table``), such tables, or a
        SUBJECTS_DIR with ``<participant>/stats/*.stats``.

    Returns
    -------
    ``volume`` (participant, region) in mm3, NaN where missing; per region the coordinates
    hemisphere (left, right, both), tissue (cortex, white, subcortical, global), atlas (aparc,
    wmparc, aseg) and measurement_unit (mm3). Regions have the same name for all versions of
    FreeSurfer; volumes of the whole brain, which every table repeats, appear once. ``attrs``:
    sources, ignored (columns that are not regions) and absent (regions without a column).

    Examples
    --------
    >>> import ketadask as kd
    >>> folder = kd.simulate_study("study", participants=5)
    >>> volumes = kd.open_volumes(folder / "derivatives" / "freesurfer")
    >>> dict(volumes.sizes)
    {'participant': 5, 'region': 185}
    """
    folders, paths = _inputs(path)
    if folders:
        participants = np.array([participant_name(folder.name) for folder in folders])
        rows = list(enumerate(participants.tolist(), start=1))
        check_participants(folders[0].parent, rows, "folder")
        array, regions = volumes_of_folders(folders)
        sources, ignored = [str(folders[0].parent)], []
    else:
        tables = [open_volume_table(path) for path in paths]
        tables.sort(key=lambda table: ORDER[table.regions[0]])
        check_regions_once(tables)
        participants = np.unique(np.concatenate([table.participants for table in tables]))
        array, regions = volumes_of_tables(tables, participants)
        sources = [str(path) for path in paths]
        ignored = sorted({name for table in tables for name in table.ignored})
    order = sorted(range(len(regions)), key=lambda j: ORDER[regions[j]])
    if order != list(range(len(regions))):
        array, regions = array[:, order], [regions[j] for j in order]
    return _dataset(array, participants, regions, {"sources": sources, "ignored": ignored})


def _dataset(
    array: Any, participants: np.ndarray, regions: list[str], attributes: dict[str, list[str]]
) -> xr.Dataset:
    rows = [REGIONS[region] for region in regions]
    attributes["absent"] = [name for name in ORDER if name not in set(regions)]
    volume = ((nm.PARTICIPANT, nm.REGION), array, {"units": "mm3", "long_name": "volume"})
    coordinates = {
        nm.PARTICIPANT: (nm.PARTICIPANT, participants),
        nm.REGION: (nm.REGION, np.array(regions)),
        "hemisphere": (nm.REGION, np.array([row.hemisphere for row in rows])),
        "tissue": (nm.REGION, np.array([row.tissue for row in rows])),
        "atlas": (nm.REGION, np.array([row.atlas for row in rows])),
        "measurement_unit": (nm.REGION, np.array(["mm3"] * len(rows))),
    }
    return xr.Dataset({nm.VOLUME: volume}, coordinates, attributes)


def _inputs(path: Path | str | Sequence[Path | str]) -> tuple[list[Path], list[Path]]:
    """Return participant folders and group tables; one of the two lists is empty."""
    if not isinstance(path, str | Path):
        return [], [existing_path(Path(table)) for table in path]
    root = existing_path(Path(path))
    if root.is_file():
        return [], [root]
    entries = folder_entries(root)
    files = [entry for entry in entries if entry.suffix in TABLE_ENDINGS and entry.is_file()]
    tables = [file for file in files if is_volume_table(file)]
    # Every SUBJECTS_DIR holds FreeSurfer's templates (fsaverage, fsaverage5).
    subjects = [entry for entry in entries if not entry.name.startswith("fsaverage")]
    folders = [entry for entry in subjects if is_participant_folder(entry)]
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


def folder_entries(folder: Path) -> list[Path]:
    """Return the content of a folder; what could be an unreadable table raises an InputError."""
    path = folder
    try:
        entries = sorted(folder.iterdir())
        for path in entries:
            if path.suffix in (".tsv", ".csv") and path.is_dir():
                raise InputError("is a folder, not a table", file=path, remedy="move it elsewhere")
            if path.suffix in TABLE_ENDINGS and not path.stat().st_size:
                raise InputError(
                    "the file is empty", file=path, remedy="write it again or remove it"
                )
    except OSError as error:
        raise read_error(path, error) from None
    return entries


def existing_path(path: Path) -> Path:
    """Return the path; raise an InputError where there is nothing."""
    try:
        exists = path.exists()
    except OSError as error:
        raise read_error(path, error) from None
    if not exists:
        raise InputError("no such file or folder", file=path, remedy="check the path")
    return path


class LazyVolumes(BackendArray):
    """Volumes that read only what is indexed, for xarray's own laziness and chunks."""

    def __init__(self, array: Any) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """Return the volumes at ``key`` (participant, region)."""
        values: np.ndarray = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._read
        )
        return values

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        # Already inside one task of xarray's graph: reading must not start another scheduler.
        return np.asarray(load(self.array[key], scheduler="synchronous"))


class FreeSurferBackend(BackendEntrypoint):
    """Open FreeSurfer volumes by ``xr.open_dataset(path, engine="ketadask-freesurfer")``."""

    description = "FreeSurfer group tables and SUBJECTS_DIR, volumes of aparc, wmparc and aseg"
    open_dataset_parameters = ("filename_or_obj", "drop_variables")

    def open_dataset(
        self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None
    ) -> xr.Dataset:
        """Return what ``open_volumes`` returns; ``chunks={}`` gives one chunk per file."""
        drops = [drop_variables] if isinstance(drop_variables, str) else drop_variables or []
        dataset = open_volumes(filename_or_obj)
        volume = dataset[nm.VOLUME].variable
        lazy = xr.Variable(
            volume.dims, indexing.LazilyIndexedArray(LazyVolumes(volume.data)), volume.attrs
        )
        lazy.encoding["preferred_chunks"] = dict(volume.chunksizes)
        return dataset.assign({nm.VOLUME: lazy}).drop_vars(list(drops), errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether this is a table of volumes, or a folder that holds volumes."""
        if not isinstance(filename_or_obj, str | Path):
            return False
        path = Path(filename_or_obj)
        try:
            return is_volume_table(path) if path.is_file() else any(_inputs(path))
        except InputError:
            return False
