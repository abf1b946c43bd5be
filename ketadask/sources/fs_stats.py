"""``*.stats`` files of one participant folder, as FreeSurfer 5 to 8 write them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ketadask.schema.errors import InputError
from ketadask.sources.codes import parse_number
from ketadask.sources.delimited import read_error, read_text
from ketadask.sources.region_names import SIGNED, region_column
from ketadask.sources.regions import ORDER

# Files and hemispheres by atlas; FastSurfer writes its own.
ATLAS_FILES = {
    "DK": ("aparc.stats",),
    "DKT": ("aparc.DKTatlas.stats", "aparc.DKTatlas.mapped.stats"),
    "Destrieux": ("aparc.a2009s.stats",),
}
VOLUME_FILES = ("aseg.stats", "wmparc.stats", "aseg+DKT.stats")
COLUMNS = {
    "volume": ("GrayVol", "Volume_mm3"),
    "thickness": ("ThickAvg",),
    "thicknessstd": ("ThickStd",),
    "area": ("SurfArea",),
    "meancurv": ("MeanCurv",),
    "gauscurv": ("GausCurv",),
    "foldind": ("FoldInd",),
    "curvind": ("CurvInd",),
}
FILES = {"aseg.stats": "", "lh.aparc.stats": "lh", "rh.aparc.stats": "rh", "wmparc.stats": ""}
_REPEAT = "run recon-all again, or copy the file again"


def is_participant_folder(folder: Path) -> bool:
    """Return whether a folder holds ``stats/aseg.stats`` or another file of ``FILES``."""
    try:
        return any(_exists(folder / "stats" / name) for name in FILES)
    except OSError as error:
        raise read_error(folder, error) from None


def _exists(path: Path) -> bool:
    """Return whether there is a file or a link: a broken link must become an error, not missing."""
    return path.is_file() or path.is_symlink()


def read_stats_folder(folder: Path) -> np.ndarray:
    """Return the 185 volumes of one participant as float64 (1, region), NaN where missing."""
    volumes = np.full((1, len(ORDER)), np.nan)
    first: dict[str, tuple[float, Path]] = {}
    for name, hemisphere in FILES.items():
        path = folder / "stats" / name
        if _exists(path):
            for region, value in read_stats(path, hemisphere).items():
                check_equal(region, first.setdefault(region, (value, path)), (value, path))
    for region, (value, _) in first.items():
        if region in ORDER:
            volumes[0, ORDER[region]] = value
    return volumes


def stats_files(folder: Path, atlas: str, measure: str) -> dict[str, str]:
    """Return the files of one participant that hold a measure, with their hemispheres."""
    files = {f"{side}.{name}": side for side in ("lh", "rh") for name in ATLAS_FILES[atlas]}
    if measure == "volume":
        files |= dict.fromkeys(VOLUME_FILES if atlas != "DKT" else VOLUME_FILES[::2], "")
    files = {name: side for name, side in files.items() if _exists(folder / "stats" / name)}
    # FastSurfer's volumes of the cortex are those of its voxels; the surfaces have their own.
    return files


def read_stats_regions(folder: Path, atlas: str, measure: str) -> dict[str, float]:
    """Return a measure of all regions of one participant, by common name."""
    values: dict[str, float] = {}
    for name, side in stats_files(folder, atlas, measure).items():
        for region, value in read_stats(folder / "stats" / name, side, measure=measure).items():
            values.setdefault(region, value)
    return values


def read_stats(path: Path, hemisphere: str, *, measure: str = "volume") -> dict[str, float]:
    """Return a measure of the regions in one file, by common name.

    The line ``# ColHeaders`` names the columns of structure and measure; the lines ``# Measure``
    hold the volumes of the whole brain.
    """
    values: dict[str, float] = {}
    header: list[str] | None = None
    for row, line in enumerate(read_text(path).splitlines(), start=1):
        if line.startswith("#"):
            words = line.lstrip("# ").split()
            if words[:1] == ["ColHeaders"]:
                header = words[1:]
            elif words[:1] == ["Measure"] and measure == "volume":
                _add(values, path, row, *_measure(line), hemisphere="")
        elif line.strip():
            name, text = _row(path, row, line.split(), header, COLUMNS[measure])
            _add(values, path, row, name, text, hemisphere=hemisphere, measure=measure)
    if not values:
        raise InputError("holds no volume of a known region", file=path, remedy="run recon-all")
    return values


def _measure(line: str) -> tuple[str, str]:
    parts = [part.strip() for part in re.sub(r"^#\s*Measure\s*", "", line).split(",")]
    return (parts[1], parts[-2]) if len(parts) >= 4 else ("", "")


def _row(
    path: Path,
    row: int,
    cells: list[str],
    header: list[str] | None,
    columns: tuple[str, ...],
) -> tuple[str, str]:
    """Return the name of a structure and its measure, as text."""
    if header is None:
        problem = "no line '# ColHeaders' above the first row"
        raise _error(path, f"row {row}", problem, " ".join(cells))
    column = next((name for name in columns if name in header), None)
    if "StructName" not in header or column is None:
        problem = f"lacks the columns StructName and {' or '.join(columns[::-1])}"
        raise _error(path, "ColHeaders", problem, " ".join(header))
    if len(cells) != len(header):
        problem = f"has {len(cells)} cells where the header has {len(header)}"
        raise _error(path, f"row {row}", problem)
    return cells[header.index("StructName")], cells[header.index(column)]


def _add(
    volumes: dict[str, float],
    path: Path,
    row: int,
    name: str,
    text: str,
    *,
    hemisphere: str,
    measure: str = "volume",
) -> None:
    column = region_column(name, hemisphere=hemisphere, measure=measure) if name else None
    if column is None:
        return
    region, value = column.name, parse_number(text)
    if value is None or not (value >= 0 or measure in SIGNED):
        raise _error(path, f"row {row}, {name}", f"not a {measure}", text)
    check_equal(region, (volumes.setdefault(region, value), path), (value, path))


def _error(path: Path, where: str, problem: str, value: str | None = None) -> InputError:
    return InputError(problem, file=path, where=where, value=value, remedy=_REPEAT)


def check_equal(region: str, first: tuple[float, object], other: tuple[float, object]) -> None:
    """Raise an InputError where one participant has two different volumes of a region."""
    # Tables round to one decimal or to six; FreeSurfer's own rounding is not a disagreement.
    if abs(first[0] - other[0]) > max(1.0, 1e-5 * abs(first[0])):
        raise InputError(
            f"{region} is {first[0]:g} in {first[1]} and {other[0]:g} here",
            file=other[1],
            where=region,
            remedy="the files come from different runs of FreeSurfer; run it again for all",
        )
