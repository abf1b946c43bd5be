"""``*.stats`` files of one participant folder, as FreeSurfer 5 to 8 write them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ketadask.schema.errors import InputError
from ketadask.sources.codes import as_number
from ketadask.sources.delimited import read_text, unreadable
from ketadask.sources.regions import ORDER, unified

FILES = {"aseg.stats": "", "lh.aparc.stats": "lh", "rh.aparc.stats": "rh", "wmparc.stats": ""}
_AGAIN = "run recon-all again, or copy the file again"


def is_participant_folder(folder: Path) -> bool:
    """Return whether a folder holds ``stats/aseg.stats`` or another file read here."""
    try:
        return any(_is_there(folder / "stats" / name) for name in FILES)
    except OSError as error:
        raise unreadable(folder, error) from None


def _is_there(path: Path) -> bool:
    """Whether a file is there, or a link to one that may not be: nobody shall lose it unseen."""
    return path.is_file() or path.is_symlink()


def read_folder(folder: Path) -> np.ndarray:
    """Return the 185 volumes of one participant as float64 (1, region), NaN where not there."""
    volumes = np.full((1, len(ORDER)), np.nan)
    seen: dict[str, tuple[float, Path]] = {}
    for name, hemisphere in FILES.items():
        path = folder / "stats" / name
        if _is_there(path):
            for region, value in read_stats(path, hemisphere).items():
                before = seen.setdefault(region, (value, path))
                check_equal(region, before, (value, path))
    for region, (value, _) in seen.items():
        volumes[0, ORDER[region]] = value
    return volumes


def read_stats(path: Path, hemisphere: str) -> dict[str, float]:
    """Return the volumes (mm3) of the known regions in one file, by unified name.

    The line ``# ColHeaders`` says which column is the structure and which its volume; the lines
    ``# Measure`` hold the volumes of the whole brain.
    """
    found: dict[str, float] = {}
    header: list[str] | None = None
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.startswith("#"):
            words = line.lstrip("# ").split()
            if words[:1] == ["ColHeaders"]:
                header = words[1:]
            elif words[:1] == ["Measure"]:
                _add(found, path, number, *_measure(line), hemisphere="")
        elif line.strip():
            name, text = _row(path, number, line.split(), header)
            _add(found, path, number, name, text, hemisphere=hemisphere)
    if not found:
        raise InputError("holds no volume of a known region", file=path, remedy="run recon-all")
    return found


def _measure(line: str) -> tuple[str, str]:
    parts = [part.strip() for part in re.sub(r"^#\s*Measure\s*", "", line).split(",")]
    return (parts[1], parts[-2]) if len(parts) >= 4 else ("", "")


def _row(path: Path, number: int, cells: list[str], header: list[str] | None) -> tuple[str, str]:
    if header is None:
        raise InputError(
            "no line '# ColHeaders' above the first row",
            file=path,
            where=f"row {number}",
            value=" ".join(cells),
            remedy=_AGAIN,
        )
    volume = "GrayVol" if "GrayVol" in header else "Volume_mm3"
    if "StructName" not in header or volume not in header:
        raise InputError(
            "lacks the columns StructName and Volume_mm3 (or GrayVol)",
            file=path,
            where="ColHeaders",
            value=" ".join(header),
            remedy=_AGAIN,
        )
    if len(cells) != len(header):
        raise InputError(
            f"has {len(cells)} cells where the header has {len(header)}",
            file=path,
            where=f"row {number}",
            remedy=_AGAIN,
        )
    return cells[header.index("StructName")], cells[header.index(volume)]


def _add(
    found: dict[str, float], path: Path, number: int, name: str, text: str, *, hemisphere: str
) -> None:
    region = unified(name, hemisphere=hemisphere) if name else None
    if region is None:
        return
    value = as_number(text)
    if value is None or not value >= 0:
        raise InputError(
            "not a volume",
            file=path,
            where=f"row {number}, {name}",
            value=text,
            remedy=_AGAIN,
        )
    check_equal(region, (found.setdefault(region, value), path), (value, path))


def check_equal(region: str, first: tuple[float, object], other: tuple[float, object]) -> None:
    """Raise where one participant has two different volumes of a region."""
    # Tables round to one decimal or to six; FreeSurfer's own rounding is not a disagreement.
    if abs(first[0] - other[0]) > max(1.0, 1e-5 * abs(first[0])):
        raise InputError(
            f"{region} is {first[0]:g} in {first[1]} and {other[0]:g} here",
            file=other[1],
            where=region,
            remedy="the files come from different runs of FreeSurfer; make them again",
        )
