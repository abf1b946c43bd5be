"""Literals: value ranges of features, and the units inside each."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ketadask.kernels.blocks import LiteralRows
from ketadask.kernels.equivalents import count_equivalents
from ketadask.kernels.popcount import unpack_rows, words_for
from ketadask.schema.tables import LITERALS
from ketadask.search.stored_literals import ReorderedRows, in_steps

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.kernels.result import SearchResult


@dataclass(frozen=True, eq=False)
class Literals:
    """Literals in canonical order: by feature, then direction, then cut.

    Attributes
    ----------
    rows
        Units inside each literal, packed; none where the feature is missing.
    feature, modality
        int32 (literal,): position in ``feature_names`` and ``modality_names``.
    low, high
        float64 (literal,): the literal is ``low < feature <= high``.
    feature_names, modality_names
        Names of all features searched, and of their modalities.
    text
        Text of each literal, for readers.
    aliases
        Other literals with the same units inside, joined by ``" | "``.
    neighbours
        Values of the data on both sides of a rounded cut, joined by ``" | "``; else empty.
    known
        Units with a value, packed, a row per name of ``feature_names``; all units if None.
    """

    rows: LiteralRows
    feature: np.ndarray
    modality: np.ndarray
    low: np.ndarray
    high: np.ndarray
    feature_names: tuple[str, ...]
    modality_names: tuple[str, ...]
    text: tuple[str, ...]
    aliases: tuple[str, ...]
    neighbours: tuple[str, ...]
    known: LiteralRows | None = None

    def __repr__(self) -> str:
        """Show the numbers of literals, features and units."""
        units = self.rows.units
        return f"<Literals: {len(self)} of {len(self.feature_names)} features, {units} units>"

    def __len__(self) -> int:
        """Return the number of literals."""
        return len(self.feature)

    @property
    def holds(self) -> np.ndarray:
        """bool (literal, unit), unpacked at every call to 8 times the size: for small cohorts."""
        return self.holds_of(np.arange(len(self)))

    def holds_of(self, ids: np.ndarray) -> np.ndarray:
        """Return bool (literal, unit) of some literals."""
        return unpack_rows(self.rows.take(np.asarray(ids)), self.rows.units)

    def conjunction(self, ids: np.ndarray) -> np.ndarray:
        """Return bool (persona, unit) for literal ids (persona, k) padded with -1."""
        return unpack_rows(self._all_of(ids), self.rows.units)

    def unknown_mask(self, ids: np.ndarray) -> np.ndarray:
        """Return bool (persona, unit): units of which nobody can say whether they are inside.

        No literal of the persona is false for them, but the feature of at least one is missing.

        Examples
        --------
        >>> from ketadask.search.encoding import encode_values
        >>> values = np.array([[0.0, 0.0], [1.0, np.nan], [0.0, np.nan], [1.0, 1.0]])
        >>> literals = encode_values(values, names=["a", "b"])
        >>> literals.text
        ('a <= 0', 'a >= 1', 'b <= 0', 'b >= 1')
        >>> literals.unknown_mask(np.array([0, 2]))  # a <= 0 and b <= 0
        array([[False, False,  True, False]])
        """
        if self.known is None:
            return np.zeros((len(np.atleast_2d(ids)), self.rows.units), dtype=bool)
        possible = self._all_of(ids, self.known) & ~self._all_of(ids)
        return unpack_rows(possible, self.rows.units)

    def _all_of(self, ids: np.ndarray, known: LiteralRows | None = None) -> np.ndarray:
        """Pack the units inside every literal of a persona; with ``known``, those not outside."""
        ids = np.atleast_2d(ids)
        unique_ids, index = np.unique(ids[ids >= 0], return_inverse=True)
        bits = self.rows.take(unique_ids)
        if known is not None:
            bits = bits | ~known.take(self.feature[unique_ids])
        row_of = np.full(ids.shape, -1)
        row_of[ids >= 0] = index
        inside = np.full((len(ids), words_for(self.rows.units)), ~np.uint64(0))
        for column in row_of.T:
            inside[column >= 0] &= bits[column[column >= 0]]
        return inside

    def reorder(self, order: np.ndarray) -> Literals:
        """Return the literals of permuted units: unit u gets the features of unit ``order[u]``."""
        known = None if self.known is None else ReorderedRows(self.known, order)
        return replace(self, rows=ReorderedRows(self.rows, order), known=known)

    def sentence(self, ids: np.ndarray) -> str:
        """Return the text of a persona, for readers; data beside a rounded cut in brackets."""
        return " and ".join(
            f"{self.text[i]} ({self.neighbours[i]})" if self.neighbours[i] else self.text[i]
            for i in ids
            if i >= 0
        )

    def features_of(self, ids: np.ndarray) -> list[str]:
        """Return the names of the features a persona constrains."""
        return [self.feature_names[self.feature[i]] for i in ids if i >= 0]

    def candidates(self, max_literals: int, min_literals: int = 1) -> int:
        """Return the number of conjunctions of 1 to L literals, or m to L, on distinct features.

        Examples
        --------
        >>> from ketadask.search.encoding import LiteralSettings, encode_values
        >>> encode_values(np.arange(20).reshape(10, 2) / 8, LiteralSettings(cuts=1)).candidates(2)
        8
        """
        sizes = np.bincount(self.feature, minlength=len(self.feature_names))
        ways = [1] + [0] * max_literals
        for size in (int(size) for size in sizes):
            for k in range(max_literals, 0, -1):
                ways[k] += ways[k - 1] * size
        return sum(ways[min_literals:])

    def table(self) -> pd.DataFrame:
        """Return the literals as a table that keeps its contract."""
        import pandas as pd

        return LITERALS.check(
            pd.DataFrame(
                {
                    "literal": np.arange(len(self)),
                    "feature": [self.feature_names[i] for i in self.feature],
                    "modality": [self.modality_names[i] for i in self.modality],
                    "low": self.low,
                    "high": self.high,
                    "text": list(self.text),
                    "support": self.support,
                    "aliases": list(self.aliases),
                    "neighbours": list(self.neighbours),
                }
            )
        )

    @property
    def support(self) -> np.ndarray:
        """int64 (literal,): number of units inside each."""
        counts = [np.bitwise_count(bits).sum(axis=1) for bits in in_steps(self.rows)]
        return np.concatenate([np.zeros(0, dtype=np.int64), *counts]).astype(np.int64)

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.blake2b(f"{len(self)} {self.rows.units}".encode(), digest_size=16)
        for bits in in_steps(self.rows):
            digest.update(bits.tobytes())
        for bits in [] if self.known is None else in_steps(self.known):
            digest.update(bits.tobytes())
        for array in (self.feature, self.modality, self.low, self.high):
            digest.update(f"{array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        names = self.feature_names + self.modality_names + self.text + self.neighbours
        digest.update("\x00".join(names).encode())
        return digest.hexdigest()

    def __dask_tokenize__(self) -> tuple[str, str]:
        """Equal literals have equal tokens, in any process."""
        return "ketadask.search.literals.Literals", self._digest


def literal_text(feature: str, low: float, high: float, *, is_integer: bool) -> str:
    """Return the text of a literal; ``is_integer`` marks features with integer values only.

    Examples
    --------
    >>> literal_text("bdi_10", 0, math.inf, is_integer=True)
    'bdi_10 >= 1'
    >>> literal_text("bdi_10", 2.5, math.inf, is_integer=True)
    'bdi_10 >= 3'
    >>> literal_text("age", 30.5, 41, is_integer=False)
    '30.5 < age <= 41'
    >>> literal_text("smoker = yes", 0, math.inf, is_integer=True)
    'smoker = yes'
    >>> literal_text("smoker = yes", -math.inf, 0, is_integer=True)
    'smoker ≠ yes'
    """
    if " = " in feature and is_integer and 0.0 in (low, high):
        return feature if math.isinf(high) else feature.replace(" = ", " ≠ ", 1)
    if math.isinf(low):
        return f"{feature} <= {high:.12g}"
    if math.isinf(high):
        return f"{feature} >= {math.floor(low) + 1}" if is_integer else f"{feature} > {low:.12g}"
    return f"{low:.12g} < {feature} <= {high:.12g}"


def personas_table(
    result: SearchResult, literals: Literals, score: np.ndarray, max_literals: int = 0
) -> pd.DataFrame:
    """Return the personas of a search as a table; counts equivalents of up to ``max_literals``."""
    import pandas as pd

    inside = literals.conjunction(result.ids)
    ids = [[int(i) for i in row if i >= 0] for row in result.ids]
    table = pd.DataFrame(
        {
            "rank": np.arange(1, len(result.q) + 1),
            "persona": [literals.sentence(row) for row in result.ids],
            "features": [tuple(literals.features_of(row)) for row in result.ids],
            "cuts": [
                tuple((float(literals.low[i]), float(literals.high[i])) for i in row) for row in ids
            ],
            "q": result.q,
            "support": result.support,
            "mean_inside": [float(score[mask].mean()) for mask in inside],
            "mean_outside": [float(score[~mask].mean()) for mask in inside],
            "n_literals": result.n_literals.astype(int),
            "aliases": [
                "; ".join(literals.aliases[i] for i in row if literals.aliases[i]) for row in ids
            ],
        }
    )
    if max_literals:
        holds = literals.holds
        table["equivalents"] = [
            count_equivalents(holds, literals.feature, mask, max_literals) - 1 for mask in inside
        ]
    return table
