"""One collection for regional measures of the brain, from the tables of any tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.sources.freesurfer import existing_path, folder_entries
from ketadask.sources.fs_stats import ATLAS_FILES, COLUMNS, read_stats_regions, stats_files
from ketadask.sources.graph import regions_of_folders, volumes_of_tables
from ketadask.sources.region_names import UNITS, region_place
from ketadask.sources.region_tables import (
    ANY,
    TABLE_ENDINGS,
    check_regions_once,
    open_region_table,
    row_key,
    table_layout,
)

DEEP = "aseg"
_CHOICE = "name one, as in open_regions(path, {}={!r})"


def open_regions(
    path: Path | str | Sequence[Path | str],
    *,
    measure: str | None = None,
    atlas: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Open a regional measure of the brain; only names are read before ``compute``.

    Parameters
    ----------
    path
        A table, several, or a folder of them: FreeSurfer (``aparcstats2table``,
        ``asegstats2table``), ENIGMA, SynthSeg, CAT12, or any with a column ``participant_id``; or
        a folder of participants with ``stats/`` as FreeSurfer and FastSurfer write it.
    measure
        Volume, thickness, area, ...; needed where there are several, or none is named.
    atlas
        ``DK``, ``DKT``, ``Destrieux`` or another; needed where there are several.
    columns
        Regions by column name, for a table with names of its own.

    Returns
    -------
    The measure (participant, session, region), NaN where missing. Coordinates by region:
    hemisphere, tissue, atlas, lobe, network (Yeo 2011) and measurement_unit; ``attrs``: sources
    and ignored columns. Where tables name no session, there is one, ``any``.

    Examples
    --------
    >>> from pathlib import Path
    >>> text = "SubjID,L_bankssts_thickavg,L_insula_thickavg\\nsub-1,2.5,3.1\\n"
    >>> _ = Path("thickness.csv").write_text(text)
    >>> regions = open_regions("thickness.csv")
    >>> list(regions.data_vars), regions["region"].values.tolist()
    (['thickness'], ['lh_bankssts_thickness', 'lh_insula_thickness'])
    >>> regions["lobe"].values.tolist()
    ['temporal', 'insula']
    """
    if measure is not None and measure not in UNITS:
        raise InputError(
            "unknown measure", where="measure", value=measure, remedy="use " + ", ".join(UNITS)
        )
    paths = [path] if isinstance(path, str | Path) else list(path)
    files = [file for item in paths for file in _files(existing_path(Path(item)))]
    if not files and len(paths) == 1:
        return _open_folders(Path(paths[0]), measure or nm.VOLUME, atlas or "DK")
    tables = [
        table
        for file in files
        for table in open_region_table(file, columns=columns, measure=measure or "")
    ]
    measure = _single({table.measure for table in tables}, measure, "measure", paths)
    tables = [table for table in tables if table.measure == measure]
    cortical = {table.atlas for table in tables} - {DEEP}
    atlas = _single(cortical or {DEEP}, atlas, "atlas", paths)
    tables = [table for table in tables if table.atlas in (atlas, DEEP)]
    check_regions_once(tables)
    keys = np.unique(np.concatenate([table.keys for table in tables]), axis=0)
    participants, sessions = np.unique(keys[:, 0]), np.unique(keys[:, 1])
    grid = np.array([(p, s) for p in participants for s in sessions])
    array, regions = volumes_of_tables(tables, grid)
    shape = (len(participants), len(sessions), len(regions))
    atlas_of = {region: table.atlas for table in tables for region in table.regions}
    return _region_dataset(
        array.reshape(shape),  # type: ignore[no-untyped-call]
        (participants, sessions),
        regions,
        measure,
        [atlas_of[region] for region in regions],
        sources=[str(table.path) for table in tables],
        ignored=sorted({name for table in tables for name in table.ignored}),
    )


def _single(names: set[str], choice: str | None, what: str, paths: Sequence[Any]) -> str:
    """Return the one name, or the choice among several; raise otherwise."""
    if choice is None and len(names) == 1:
        return next(iter(names))
    if choice in names:
        return str(choice)
    first = min(names)
    raise InputError(
        f"holds {' and '.join(sorted(names))}",
        file=Path(paths[0]),
        where=what,
        value=choice,
        remedy=_CHOICE.format(what, first),
    )


def _files(path: Path) -> list[Path]:
    """Return the regional tables of a folder, or the file itself."""
    if path.is_file():
        return [path]
    files = [f for f in folder_entries(path) if f.suffix in TABLE_ENDINGS and f.is_file()]
    layouts = {file: table_layout(file) for file in files}
    return [
        file
        for file, layout in layouts.items()
        if layout is not None and file.name != "participants.tsv"
    ]


def _open_folders(root: Path, measure: str, atlas: str) -> xr.Dataset:
    """Open the stats files of participant folders, one task per folder."""
    for value, valid, where in ((measure, COLUMNS, "measure"), (atlas, ATLAS_FILES, "atlas")):
        if value not in valid:
            raise InputError(
                f"no such {where} in stats files", file=root, where=where, value=value,
                remedy="use " + ", ".join(valid),
            )  # fmt: skip
    entries = [e for e in folder_entries(root) if not e.name.startswith("fsaverage")]
    folders = [entry for entry in entries if stats_files(entry, atlas, measure)]
    if not folders:
        raise InputError(
            f"holds neither tables of regions nor stats files with {measure} of {atlas}",
            file=root,
            remedy="name the folder that holds them",
        )
    keys = [row_key([folder.name], None) for folder in folders]
    regions = list(read_stats_regions(folders[0], atlas, measure))
    folder_of = dict(zip(keys, folders, strict=True))
    participants, sessions = (np.unique([key[k] for key in keys]) for k in (0, 1))
    if len(folder_of) < len(folders):
        raise InputError("a participant and session appear twice", file=root, remedy="keep one")
    rows = [folder_of.get((p, s)) for p in participants.tolist() for s in sessions.tolist()]
    array = regions_of_folders(rows, atlas, measure, regions)
    shape = (len(participants), len(sessions), len(regions))
    return _region_dataset(
        array.reshape(shape),  # type: ignore[no-untyped-call]
        (participants, sessions),
        regions,
        measure,
        [atlas if region_place(r).tissue == "cortex" else DEEP for r in regions],
        sources=[str(root)],
        ignored=[],
    )


def _region_dataset(
    array: Any,
    keys: tuple[np.ndarray, np.ndarray],
    regions: list[str],
    measure: str,
    atlas: list[str],
    **attributes: list[str],
) -> xr.Dataset:
    places = [region_place(region) for region in regions]
    unit = UNITS.get(measure, "")
    coordinates: dict[str, Any] = {
        nm.PARTICIPANT: keys[0],
        "session": keys[1],
        nm.REGION: np.array(regions),
        "atlas": (nm.REGION, np.array(atlas)),
        "measurement_unit": (nm.REGION, np.array([unit] * len(regions))),
    }
    for name in ("hemisphere", "tissue", "lobe", "network"):
        coordinates[name] = (nm.REGION, np.array([getattr(anatomy, name) for anatomy in places]))
    variable = (
        (nm.PARTICIPANT, "session", nm.REGION), array, {"units": unit, "long_name": measure},
    )  # fmt: skip
    return xr.Dataset({measure: variable}, coordinates, {"measure": measure, **attributes})


def single_session(regions: xr.Dataset, session: str | None = None) -> xr.Dataset:
    """Return the measure (participant, region) of one session; needed where there are several."""
    if "session" not in regions.dims:
        return regions
    names = regions["session"].values.astype(str).tolist()
    if session is None and names == [ANY]:
        session = ANY
    session = names[0] if session is None and len(names) == 1 else session
    if session not in names:
        raise InputError(
            f"there are sessions {', '.join(names)}",
            where="session",
            value=session,
            remedy="name the one before treatment",
        )
    return regions.sel(session=session, drop=True)
