"""From feature values to literals, without the outcomes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.kernels.blocks import PackedRows
from ketadask.kernels.popcount import pack_rows
from ketadask.kernels.settings import LiteralSettings
from ketadask.schema.errors import InputError, nearest
from ketadask.search.literals import Literals, literal_text
from ketadask.search.stored_literals import Packing

if TYPE_CHECKING:
    import xarray as xr

LEVELS = 8
_CELLS = 1 << 22
_Row = tuple[int, float, float]
_DEFAULT = LiteralSettings()


def encode(units: xr.Dataset, settings: LiteralSettings, **options: object) -> Literals:
    """Encode the features of a search matrix; options as `encode_values`."""
    return encode_values(
        units["value"].transpose(nm.UNIT, nm.FEATURE).values,
        settings,
        names=units[nm.FEATURE].values.tolist(),
        modalities=units["modality"].values.tolist(),
        **options,  # type: ignore[arg-type]
    )


def encode_values(
    values: np.ndarray,
    settings: LiteralSettings = _DEFAULT,
    *,
    names: Sequence[str] | None = None,
    modalities: Sequence[str] | None = None,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    priority: Sequence[str] | None = None,
    memory: float = math.inf,
    folder: Path | None = None,
) -> Literals:
    """Cut every feature; return the literals with the units inside each.

    Features with at most 8 values, and whole numbers with at most ``whole_levels`` values, are cut
    between all of them, others at inner quantiles. A cut is the shortest decimal number between
    the two values it separates; where it is neither, these are kept as its neighbours.

    Parameters
    ----------
    values
        float (unit, feature), NaN where missing: then no literal of the feature holds.
    settings
        Quantiles, levels, intervals and cut points.
    names, modalities
        One per feature.
    include, exclude
        Names of features or modalities: search only these, or all but these.
    priority
        Modalities in order of preference: of equal covers, and of equal Q, personas of earlier
        modalities come first. Unlisted modalities come last.
    memory, folder
        Largest size of the packed literals in memory, in bytes, and folder of the file for larger
        ones.

    Examples
    --------
    >>> encode_values(np.array([[0.0], [1.0], [2.0], [np.nan]]), names=["hamd_1"]).text
    ('hamd_1 <= 0', 'hamd_1 <= 1', 'hamd_1 >= 1', 'hamd_1 >= 2')
    """
    names, modalities, features = _select(values, names, modalities, include, exclude, priority)
    cut_points = dict(settings.cut_points or {})
    unknown = [name for name in cut_points if name not in names]
    if unknown:
        raise InputError(
            "cut points for an unknown feature",
            where="literals.cut_points",
            value=unknown[0],
            remedy=nearest(unknown[0], names),
        )
    rows: list[_Row] = []
    packing = Packing(len(values), memory, folder)
    same: dict[bytes, list[int]] = {}
    also: list[list[str]] = []
    texts: list[str] = []
    neighbours: list[str] = []
    for feature in features:
        column = values[:, feature]
        name, present = names[feature], column[np.isfinite(column)]
        is_integer = bool((present == np.floor(present)).all())
        max_levels = max(LEVELS, settings.whole_levels if is_integer else 0)
        points = _cut_points(present, settings.cuts, max_levels, cut_points.get(name))
        beside = dict(neighbours_text(below, above) for below, above in points if below < above)
        literal_by_digest: dict[bytes, int] = {}
        for low, high, bits in _covers(column, _ranges(points, intervals=settings.intervals)):
            text = literal_text(name, low, high, is_integer=is_integer)
            digest = hashlib.blake2b(bits.tobytes(), digest_size=16).digest()
            twin = literal_by_digest.get(digest)
            if twin is not None:
                also[twin].append(text)
                continue
            literal_by_digest[digest] = len(rows)
            same.setdefault(digest, []).append(len(rows))
            rows.append((feature, low, high))
            packing.add(bits)
            also.append([])
            texts.append(text)
            ends = (beside.get(cut, "") for cut in (low, high))
            neighbours.append(", ".join(end for end in ends if end))
    modality_names = tuple(dict.fromkeys(modalities))
    return Literals(
        rows=packing.rows(),
        feature=np.array([row[0] for row in rows], dtype=np.int32),
        modality=np.array(
            [modality_names.index(modalities[row[0]]) for row in rows], dtype=np.int32
        ),
        low=np.array([row[1] for row in rows], dtype=np.float64),
        high=np.array([row[2] for row in rows], dtype=np.float64),
        feature_names=tuple(names),
        modality_names=modality_names,
        text=tuple(texts),
        aliases=_aliases(same.values(), texts, also),
        neighbours=tuple(neighbours),
        known=PackedRows.of(np.isfinite(values).T),
    )


def _select(
    values: np.ndarray,
    names: Sequence[str] | None,
    modalities: Sequence[str] | None,
    include: Sequence[str] | None,
    exclude: Sequence[str] | None,
    priority: Sequence[str] | None,
) -> tuple[list[str], list[str], list[int]]:
    """Return names and modalities, and the features to use, in canonical order."""
    count = values.shape[1]
    names = [f"x{i}" for i in range(count)] if names is None else [str(name) for name in names]
    modalities = [""] * count if modalities is None else [str(modality) for modality in modalities]
    if len(names) != count or len(modalities) != count:
        raise InputError(
            f"{count} features but {len(names)} names and {len(modalities)} modalities",
            remedy="give one name and one modality per column",
        )
    twice = [name for name in names if names.count(name) > 1] if len(set(names)) < count else []
    if twice:
        raise InputError("feature named twice", value=twice[0], remedy="give every column a name")
    groups = "feature or modality", {*names, *modalities}
    for key, words, (kind, valid) in (
        ("include", include, groups),
        ("exclude", exclude, groups),
        ("priority", priority, ("modality", set(modalities))),
    ):
        if isinstance(words, str):
            raise InputError(
                "a list of names is needed, not a text", where=key, value=words,
                remedy=f"write {key}=[{words!r}]",
            )  # fmt: skip
        for word in words or ():
            if word not in valid:
                raise InputError(
                    f"no such {kind}",
                    where=key,
                    value=word,
                    remedy=nearest(word, sorted(valid - {""})),
                )
    features = [
        i
        for i in range(count)
        if (include is None or names[i] in include or modalities[i] in include)
        and not (exclude and (names[i] in exclude or modalities[i] in exclude))
    ]
    order = {modality: rank for rank, modality in enumerate(priority or ())}
    features.sort(key=lambda i: (order.get(modalities[i], len(order)), i))
    return names, modalities, features


def _cut_points(
    present: np.ndarray, cuts: int, max_levels: int, own_points: Sequence[float] | None
) -> list[tuple[float, float]]:
    """Return cuts as pairs (value below, value above); the cut may lie anywhere between."""
    if own_points is not None:
        return [(float(point), float(point)) for point in sorted(own_points)]
    values = np.sort(present)
    levels = np.unique(values)
    if levels.size < 2:
        return []
    if levels.size > max_levels:
        quantiles = np.arange(1, cuts + 1) / (cuts + 1)
        # The quantiles of `numpy.quantile` with method "inverted_cdf", without its overhead.
        ranks = np.ceil(values.size * quantiles - 1).astype(np.int64).clip(min=0)
        positions = np.searchsorted(levels, np.unique(values[ranks]))
    else:
        positions = np.arange(levels.size - 1)
    positions = positions[positions < levels.size - 1]
    return [(float(levels[i]), float(levels[i + 1])) for i in positions]


def _ranges(points: list[tuple[float, float]], *, intervals: bool) -> list[tuple[float, float]]:
    """Return (low, high) of all literals of a feature, in canonical order."""
    at = [shortest_between(below, above) for below, above in points]
    ranges = [(-math.inf, cut) for cut in at] + [(cut, math.inf) for cut in at]
    if intervals:
        ranges += [(low, high) for i, low in enumerate(at) for high in at[i + 1 :]]
    return ranges


def _covers(
    column: np.ndarray, ranges: list[tuple[float, float]]
) -> Iterator[tuple[float, float, np.ndarray]]:
    """Yield low, high and the packed units of every range that holds some units, but not all."""
    step = max(1, _CELLS // max(1, column.size))
    for first in range(0, len(ranges), step):
        some = ranges[first : first + step]
        low, high = np.array(some).T[:, :, None]
        inside = (column > low) & (column <= high)
        bits = pack_rows(inside)
        for index in np.flatnonzero(inside.any(axis=1) & ~inside.all(axis=1)):
            yield *some[index], bits[index]


def shortest_between(below: float, above: float) -> float:
    """Return the shortest decimal number c with below <= c < above.

    Examples
    --------
    >>> shortest_between(4533.6871, 4541.02), shortest_between(2, 3)
    (4540.0, 2.0)
    """
    if not below < above:
        return below
    for digits in range(-6, 13):
        power = 10.0**digits
        cut = math.ceil(below * power) / power
        if below <= cut < above and float(f"{cut:.12g}") == cut:
            return cut
    return below


def neighbours_text(below: float, above: float) -> tuple[float, str]:
    """Return the cut between two values of the data, and both as text where the cut is rounded.

    The values have as many digits as they need to stay on their sides of the cut, at least five.

    Examples
    --------
    >>> neighbours_text(49.823004, 50), neighbours_text(2, 3)
    ((49.9, '49.823 | 50'), (2.0, ''))
    """
    cut = shortest_between(below, above)
    if cut == below:
        return cut, ""
    for digits in range(5, 18):
        ends = [float(f"{value:.{digits}g}") for value in (below, above)]
        if ends[0] < cut < ends[1]:
            break
    return cut, " | ".join(np.format_float_positional(end, trim="-") for end in ends)


def _aliases(
    twins: Iterable[list[int]], texts: list[str], also: list[list[str]]
) -> tuple[str, ...]:
    """Name the literals with the same cover: merged cuts first, then those of other features."""
    others: list[list[str]] = [list(names) for names in also]
    for group in twins:
        for i in group if len(group) > 1 else ():
            others[i] += [text for j in group if j != i for text in (texts[j], *also[j])]
    return tuple(" | ".join(names) for names in others)
