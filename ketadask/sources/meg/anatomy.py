"""The anatomy of a head: a forward solution, and which of its sources form parcels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ketadask.schema.errors import InputError

_FORWARD, _PARCELS = re.compile(r"[-_]fwd\.fif$"), "_parcels.tsv"
_SESSION = re.compile(r"_(ses-[^_-]+)[_-]")


@dataclass(frozen=True)
class Anatomy:
    """Paths of a forward solution (``*_fwd.fif``) and of its parcels (``*_parcels.tsv``).

    ``stamp`` holds size and time of both: results of other files are never reused.
    """

    forward: str
    parcels: str
    stamp: tuple[int, ...]


def find_anatomy(root: Path, participant: str, session: str) -> Anatomy | None:
    """Return the anatomy of a participant in ``derivatives/``: of the session, else of all.

    ``derivatives/*/<participant>/**/<participant>[_<session>][_...]_fwd.fif`` (or ``-fwd.fif``), as
    mne-bids-pipeline writes it, with ``..._parcels.tsv`` beside it: columns source (row of the
    forward solution, from 0) and parcel. `write_parcels` writes that table from labels.
    """
    pattern = f"*/{participant}/**/{participant}[-_]*fwd.fif"
    paths = sorted((root / "derivatives").glob(pattern))
    by_session: dict[str, Path] = {}
    for path in paths:
        if _FORWARD.search(path.name):
            match = _SESSION.search(path.name)
            by_session.setdefault(match[1] if match else "", path)
    forward = by_session.get(session) or by_session.get("")
    if forward is None:
        return None
    parcels = _parcels_path(forward)
    if not parcels.is_file():
        raise InputError(
            "a forward solution has no table of parcels beside it",
            file=forward,
            remedy=f"add {parcels.name} with the columns source and parcel",
        )
    stamp = [n for p in (forward, parcels) for n in (p.stat().st_size, p.stat().st_mtime_ns)]
    return Anatomy(str(forward), str(parcels), tuple(stamp))


def write_parcels(forward: Path | str, labels: Sequence[Any]) -> Path:
    """Write ``*_parcels.tsv`` beside a surface forward solution, from labels of mne.

    Parameters
    ----------
    forward
        ``*_fwd.fif``.
    labels
        As ``mne.read_labels_from_annot`` returns them: each has name, hemi (lh or rh) and vertices.
        A source in several labels belongs to the first; one in none has no row.

    Returns
    -------
    The path of the table.
    """
    import pandas as pd

    path = Path(forward)
    if not _FORWARD.search(path.name):
        raise InputError(
            "not the name of a forward solution", file=path, remedy="let it end with _fwd.fif"
        )
    parcels = surface_parcels(read_forward(Anatomy(str(path), "", ()))["src"], labels)
    table = pd.DataFrame({"source": np.arange(len(parcels)), "parcel": parcels})
    table.dropna().to_csv(_parcels_path(path), sep="\t", index=False)
    return _parcels_path(path)


def _parcels_path(forward: Path) -> Path:
    return forward.with_name(_FORWARD.sub(_PARCELS, forward.name))


def surface_parcels(spaces: Sequence[Any], labels: Sequence[Any]) -> list[str | None]:
    """Return the parcel of every source, left hemisphere first, in the forward solution's order.

    Examples
    --------
    >>> from types import SimpleNamespace as Label
    >>> labels = [Label(name="cuneus-lh", hemi="lh", vertices=np.array([4, 5, 6])),
    ...           Label(name="cuneus-rh", hemi="rh", vertices=np.array([5]))]
    >>> surface_parcels([{"vertno": np.array([2, 5])}, {"vertno": np.array([5, 9])}], labels)
    [None, 'cuneus-lh', 'cuneus-rh', None]
    """
    parcels: list[str | None] = []
    for hemisphere, space in zip(("lh", "rh"), spaces, strict=False):
        name_by_vertex: dict[int, str] = {}
        for label in labels:
            if label.hemi == hemisphere:
                for vertex in label.vertices.tolist():
                    name_by_vertex.setdefault(vertex, label.name)
        parcels += [name_by_vertex.get(vertex) for vertex in space["vertno"].tolist()]
    return parcels


def read_forward(anatomy: Anatomy) -> Any:
    """Read the forward solution through mne."""
    import mne

    try:
        return mne.read_forward_solution(anatomy.forward, verbose="error")
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"the forward solution cannot be read ({error})",
            file=anatomy.forward,
            remedy="compute it again",
        ) from error


def read_parcels(anatomy: Anatomy, n_sources: int) -> dict[str, np.ndarray]:
    """Return the sources of every parcel, in the order of the file."""
    import pandas as pd

    try:
        table = pd.read_csv(anatomy.parcels, sep="\t", dtype={"source": np.int64, "parcel": str})
        rows, parcels = table["source"].to_numpy(), table["parcel"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the parcels cannot be read ({error})",
            file=anatomy.parcels,
            remedy="write a tab-separated table with the columns source and parcel",
        ) from error
    outside = rows[(rows < 0) | (rows >= n_sources)]
    if outside.size:
        raise InputError(
            f"the forward solution has sources 0 to {n_sources - 1}",
            file=anatomy.parcels,
            where="source",
            value=int(outside[0]),
            remedy="number sources as the forward solution orders them",
        )
    names = dict.fromkeys(parcels.dropna())
    return {str(name): rows[(parcels == name).to_numpy()] for name in names}
