"""``*.stats`` files of one participant folder, as FreeSurfer 5 to 8 write them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ketadask.schema.errors import InputError
from ketadask.sources.codes import parse_number
from ketadask.sources.delimited import read_error, read_text
from ketadask.sources.regions import ORDER, region_name

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
        volumes[0, ORDER[region]] = value
    return volumes


def read_stats(path: Path, hemisphere: str) -> dict[str, float]:
    """Return the volumes (mm3) of the supported regions in one file, by common name.

    The line ``# ColHeaders`` names the columns of structure and volume; the lines ``# Measure``
    hold the volumes of the whole brain.
    """
    volumes: dict[str, float] = {}
    header: list[str] | None = None
    for row, line in enumerate(read_text(path).splitlines(), start=1):
        if line.startswith("#"):
            words = line.lstrip("# ").split()
            if words[:1] == ["ColHeaders"]:
                header = words[1:]
            elif words[:1] == ["Measure"]:
                _add(volumes, path, row, *_measure(line), hemisphere="")
        elif line.strip():
            name, text = _row(path, row, line.split(), header)
            _add(volumes, path, row, name, text, hemisphere=hemisphere)
    if not volumes:
        raise InputError("holds no volume of a known region", file=path, remedy="run recon-all")
    return volumes


def _measure(line: str) -> tuple[str, str]:
    parts = [part.strip() for part in re.sub(r"^#\s*Measure\s*", "", line).split(",")]
    return (parts[1], parts[-2]) if len(parts) >= 4 else ("", "")


def _row(path: Path, row: int, cells: list[str], header: list[str] | None) -> tuple[str, str]:
    """Return the name of a structure and its volume, as text."""
    if header is None:
        problem = "no line '# ColHeaders' above the first row"
        raise _error(path, f"row {row}", problem, " ".join(cells))
    volume = "GrayVol" if "GrayVol" in header else "Volume_mm3"
    if "StructName" not in header or volume not in header:
        problem = "lacks the columns StructName and Volume_mm3 (or GrayVol)"
        raise _error(path, "ColHeaders", problem, " ".join(header))
    if len(cells) != len(header):
        problem = f"has {len(cells)} cells where the header has {len(header)}"
        raise _error(path, f"row {row}", problem)
    return cells[header.index("StructName")], cells[header.index(volume)]


def _add(
    volumes: dict[str, float], path: Path, row: int, name: str, text: str, *, hemisphere: str
) -> None:
    region = region_name(name, hemisphere=hemisphere) if name else None
    if region is None:
        return
    value = parse_number(text)
    if value is None or not value >= 0:
        raise _error(path, f"row {row}, {name}", "not a volume", text)
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
