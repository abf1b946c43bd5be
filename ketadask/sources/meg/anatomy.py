"""The anatomy of a recorded head: a forward solution, and which of its sources form parcels."""

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

    ``stamp`` is the size and the time of both, so that what was computed from others is not used.
    """

    forward: str
    parcels: str
    stamp: tuple[int, ...]


def find_anatomy(root: Path, participant: str, session: str) -> Anatomy | None:
    """Return the anatomy of a person in ``derivatives/``: that of the session, or of all.

    ``derivatives/*/<participant>/**/<participant>[_<session>][_...]_fwd.fif`` (or ``-fwd.fif``), as
    mne-bids-pipeline writes it, with ``..._parcels.tsv`` beside it: columns source (row of the
    forward solution, from 0) and parcel. `write_parcels` makes it from labels.
    """
    named = sorted((root / "derivatives").glob(f"*/{participant}/**/{participant}[-_]*fwd.fif"))
    found = [(p, _SESSION.search(p.name)) for p in named if _FORWARD.search(p.name)]
    mine = [path for path, said in found if said and said[1] == session]
    mine = mine or [path for path, said in found if not said]
    if not mine:
        return None
    forward = mine[0]
    parcels = _beside(forward)
    if not parcels.is_file():
        raise InputError(
            "a forward solution has no parcels beside it",
            file=forward,
            remedy=f"add {parcels.name} with the columns source and parcel",
        )
    stamp = [n for p in (forward, parcels) for n in (p.stat().st_size, p.stat().st_mtime_ns)]
    return Anatomy(str(forward), str(parcels), tuple(stamp))


def write_parcels(forward: Path | str, labels: Sequence[Any]) -> Path:
    """Write ``*_parcels.tsv`` beside a forward solution on the surface, from labels of mne.

    Parameters
    ----------
    forward
        ``*_fwd.fif``.
    labels
        As ``mne.read_labels_from_annot`` returns them: each has name, hemi (lh or rh) and vertices.
        A source in several labels goes to the first; one in none is left out.

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
    table.dropna().to_csv(_beside(path), sep="\t", index=False)
    return _beside(path)


def _beside(forward: Path) -> Path:
    return forward.with_name(_FORWARD.sub(_PARCELS, forward.name))


def surface_parcels(spaces: Sequence[Any], labels: Sequence[Any]) -> list[str | None]:
    """Return the parcel of every source, left hemisphere first, as a forward solution orders them.

    Examples
    --------
    >>> from types import SimpleNamespace as Label
    >>> labels = [Label(name="cuneus-lh", hemi="lh", vertices=np.array([4, 5, 6])),
    ...           Label(name="cuneus-rh", hemi="rh", vertices=np.array([5]))]
    >>> surface_parcels([{"vertno": np.array([2, 5])}, {"vertno": np.array([5, 9])}], labels)
    [None, 'cuneus-lh', 'cuneus-rh', None]
    """
    made: list[str | None] = []
    for hemisphere, space in zip(("lh", "rh"), spaces, strict=False):
        known: dict[int, str] = {}
        for label in labels:
            if label.hemi == hemisphere:
                for vertex in label.vertices.tolist():
                    known.setdefault(vertex, label.name)
        made += [known.get(vertex) for vertex in space["vertno"].tolist()]
    return made


def read_forward(anatomy: Anatomy) -> Any:
    """Read the forward solution through mne."""
    import mne

    try:
        return mne.read_forward_solution(anatomy.forward, verbose="error")
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"the forward solution cannot be read ({error})",
            file=anatomy.forward,
            remedy="make it again",
        ) from error


def read_parcels(anatomy: Anatomy, sources: int) -> dict[str, np.ndarray]:
    """Return the sources of every parcel, in the order of the file."""
    import pandas as pd

    try:
        table = pd.read_csv(anatomy.parcels, sep="\t", dtype={"source": np.int64, "parcel": str})
        rows, parcels = table["source"].to_numpy(), table["parcel"]
    except (OSError, ValueError, KeyError, TypeError) as error:
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
