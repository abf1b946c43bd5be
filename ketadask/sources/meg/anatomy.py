"""The anatomy of a recorded head: a forward solution, and which of its sources form parcels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ketadask.schema import InputError

_FORWARD, _PARCELS = "_fwd.fif", "_parcels.tsv"


@dataclass(frozen=True)
class Anatomy:
    """Paths of a forward solution (``*_fwd.fif``) and of its parcels (``*_parcels.tsv``).

    ``stamp`` is the size and the time of both, so that what was computed from others is not used.
    """

    forward: str
    parcels: str
    stamp: tuple[int, ...]


def find_anatomy(root: Path, participant: str, session: str) -> Anatomy | None:
    """Return the anatomy of a person in ``derivatives/``: that of the session, or of all.

    ``derivatives/*/<participant>/**/<participant>[_<session>][_...]_fwd.fif`` as mne-bids-pipeline
    writes it, with ``..._parcels.tsv`` beside it: columns source (row of the forward solution,
    from 0) and parcel.
    """
    found = sorted((root / "derivatives").glob(f"*/{participant}/**/{participant}*{_FORWARD}"))
    mine = [path for path in found if session and f"_{session}_" in path.name]
    mine = mine or [path for path in found if not re.search(r"_ses-[^_]+_", path.name)]
    if not mine:
        return None
    forward = mine[0]
    parcels = forward.with_name(forward.name.removesuffix(_FORWARD) + _PARCELS)
    if not parcels.is_file():
        raise InputError(
            "a forward solution has no parcels beside it",
            file=forward,
            remedy=f"add {parcels.name} with the columns source and parcel",
        )
    stamp = [n for p in (forward, parcels) for n in (p.stat().st_size, p.stat().st_mtime_ns)]
    return Anatomy(str(forward), str(parcels), tuple(stamp))


def read_forward(anatomy: Anatomy) -> Any:
    """Read the forward solution through mne."""
    import mne

    try:
        return mne.read_forward_solution(anatomy.forward, verbose="error")
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"the forward solution cannot be read ({error})",
            file=anatomy.forward,
            remedy="make it again",
        ) from error


def read_parcels(anatomy: Anatomy, sources: int) -> dict[str, np.ndarray]:
    """Return the sources of every parcel, in the order of the file."""
    import pandas as pd

    try:
        table = pd.read_csv(anatomy.parcels, sep="\t", dtype={"parcel": str})
        rows, parcels = table["source"].to_numpy(np.int64), table["parcel"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"the parcels cannot be read ({error})",
            file=anatomy.parcels,
            remedy="give a table separated by tabs with the columns source and parcel",
        ) from error
    outside = rows[(rows < 0) | (rows >= sources)]
    if outside.size:
        raise InputError(
            f"the forward solution has sources 0 to {sources - 1}",
            file=anatomy.parcels,
            where="source",
            value=int(outside[0]),
            remedy="number sources as the forward solution orders them",
        )
    known = parcels.notna().to_numpy()
    return {
        str(name): rows[known & (parcels == name).to_numpy()]
        for name in dict.fromkeys(parcels[known])
    }
