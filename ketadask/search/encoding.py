"""From feature values to literals, without the outcomes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.kernels.blocks import PackedRows
from ketadask.kernels.popcount import pack_rows
from ketadask.kernels.settings import LiteralSettings
from ketadask.schema.errors import InputError, nearest
from ketadask.search.cut_points import CutPoints, cut_features, neighbours_text
from ketadask.search.literals import Literals, literal_text
from ketadask.search.stored_literals import Packing

if TYPE_CHECKING:
    import xarray as xr

_CELLS, _NEAR_CELLS = 1 << 22, 1 << 17
_DIGEST = 16
_DEFAULT = LiteralSettings()


def encode(units: xr.Dataset, settings: LiteralSettings, **options: object) -> Literals:
    """Encode the features of a search matrix; options as `encode_values`."""
    if not units.sizes[nm.FEATURE]:
        raise InputError(
            "no feature to search",
            where="features",
            remedy="`ketadask check` lists why columns are no features; give tables of baselines",
        )
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
    literals = _LiteralList(names, Packing(len(values), memory, folder))
    step = max(1, _CELLS // max(1, len(values)))
    for start in range(0, len(features), step):
        group = features[start : start + step]
        columns = np.array(values[:, group].T, dtype=np.float64, order="C")
        own_points = {
            row: [float(point) for point in cut_points[names[feature]]]
            for row, feature in enumerate(group)
            if names[feature] in cut_points
        }
        cuts = cut_features(columns, settings, own_points)
        literals.add(columns, np.array(group), cuts, intervals=settings.intervals)
    modality_names = tuple(dict.fromkeys(modalities))
    modality = np.array([modality_names.index(name) for name in modalities], dtype=np.int32)
    feature = np.array(literals.feature, dtype=np.int32)
    return Literals(
        rows=literals.packing.rows(),
        feature=feature,
        modality=modality[feature],
        low=np.array(literals.low, dtype=np.float64),
        high=np.array(literals.high, dtype=np.float64),
        feature_names=tuple(names),
        modality_names=modality_names,
        text=tuple(literals.text),
        aliases=literals.aliases(),
        neighbours=tuple(literals.neighbours),
        known=PackedRows.of(np.isfinite(values).T),
    )


class _LiteralList:
    """Literals under construction."""

    def __init__(self, names: list[str], packing: Packing) -> None:
        self.names, self.packing = names, packing
        self.feature: list[int] = []
        self.low: list[float] = []
        self.high: list[float] = []
        self.text: list[str] = []
        self.neighbours: list[str] = []
        self._first: dict[bytes, int] = {}
        self._twins: dict[int, list[int]] = {}
        self._other_texts: dict[int, list[str]] = {}

    def add(
        self, columns: np.ndarray, features: np.ndarray, cuts: CutPoints, *, intervals: bool
    ) -> None:
        """Add the literals of some features, in canonical order."""
        row, low_cut, high_cut = _ranges(cuts.feature, intervals=intervals)
        low = np.append(cuts.point, -math.inf)[low_cut]
        high = np.append(cuts.point, math.inf)[high_cut]
        ends = [values.tolist() for values in (cuts.below, cuts.above, cuts.point)]
        beside = [neighbours_text(*cut) for cut in zip(*ends, strict=True)] + [""]
        step = max(1, _NEAR_CELLS // max(1, columns.shape[1]))
        for start in range(0, row.size, step):
            part = slice(start, start + step)
            column = columns[row[part]]
            inside = (column > low[part, None]) & (column <= high[part, None])
            ids = start + np.flatnonzero(inside.any(axis=1) & ~inside.all(axis=1))
            bits = pack_rows(inside[ids - start])
            arrays = features[row[ids]], low[ids], high[ids], cuts.is_integer[row[ids]]
            content, size = bits.tobytes(), bits.itemsize * bits.shape[1]
            keys = (content[k : k + size] for k in range(0, len(content), size))
            literals = zip(keys, *(array.tolist() for array in arrays), strict=True)
            is_new = np.array([self._add_one(*literal) for literal in literals], dtype=bool)
            self.packing.add(bits[is_new])
            for low_id, high_id in np.stack([low_cut, high_cut], axis=1)[ids[is_new]].tolist():
                one, other = beside[low_id], beside[high_id]
                self.neighbours.append(f"{one}, {other}" if one and other else one or other)

    def _add_one(self, key: bytes, feature: int, low: float, high: float, is_integer: bool) -> bool:
        """Add a literal, unless an earlier one of its feature has the same units inside."""
        own = len(self.text)
        if len(key) > _DIGEST:
            key = hashlib.blake2b(key, digest_size=_DIGEST).digest()
        text = literal_text(self.names[feature], low, high, is_integer=is_integer)
        first = self._first.setdefault(key, own)
        if first != own:
            twins = self._twins.setdefault(first, [first])
            if self.feature[twins[-1]] == feature:
                self._other_texts.setdefault(twins[-1], []).append(text)
                return False
            twins.append(own)
        self.feature.append(feature)
        self.low.append(low)
        self.high.append(high)
        self.text.append(text)
        return True

    def aliases(self) -> tuple[str, ...]:
        """Name the literals with the same cover: merged cuts first, then other features."""
        others = {i: list(texts) for i, texts in self._other_texts.items()}
        for twins in self._twins.values():
            for i in twins if len(twins) > 1 else ():
                others.setdefault(i, []).extend(
                    text
                    for j in twins
                    if j != i
                    for text in (self.text[j], *self._other_texts.get(j, ()))
                )
        return tuple(" | ".join(others.get(i, ())) for i in range(len(self.text)))


def _ranges(feature: np.ndarray, *, intervals: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (feature, low cut, high cut) of all literals in canonical order; -1 is no cut.

    ``feature`` are the features of the cuts, ascending.
    """
    cut, none = np.arange(feature.size), np.full(feature.size, -1)
    low, high = [none, cut], [cut, none]
    if intervals:
        starts, counts = np.unique(feature, return_index=True, return_counts=True)[1:]
        for start, count in zip(starts, counts, strict=True):
            first, second = np.triu_indices(count, 1)
            low.append(start + first)
            high.append(start + second)
    lows, highs = np.concatenate(low), np.concatenate(high)
    kind = (lows >= 0) + (lows >= 0) * (highs >= 0)
    owner = feature[np.maximum(lows, highs)]
    order = np.lexsort((kind, owner))
    return owner[order], lows[order], highs[order]


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
