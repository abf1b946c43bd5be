"""Literals: the value ranges personas are made of, and who is inside each."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ketadask.kernels.blocks import LiteralRows
from ketadask.kernels.popcount import unpack_rows, words_for
from ketadask.schema.tables import LITERALS
from ketadask.search.stored_literals import Reordered, in_steps

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Literals:
    """Literals in canonical order: by feature, then direction, then cut.

    Attributes
    ----------
    rows
        Who is inside each literal, packed; nobody whose feature is missing.
    feature, modality
        int32 (literal,): position in ``feature_names`` and ``modality_names``.
    low, high
        float64 (literal,): the literal is ``low < feature <= high``.
    feature_names, modality_names
        Names of all features searched, and of their modalities.
    text
        Each literal as a reader sees it.
    aliases
        Other literals that hold exactly the same units, joined by ``" | "``.
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

    def __repr__(self) -> str:
        """Say how many, of how much."""
        units = self.rows.units
        return f"<Literals: {len(self)} of {len(self.feature_names)} features, {units} units>"

    def __len__(self) -> int:
        """Return the number of literals."""
        return len(self.feature)

    @property
    def holds(self) -> np.ndarray:
        """bool (literal, unit), unpacked anew each time to 8 times the size: for small cohorts."""
        return self.held(np.arange(len(self)))

    def held(self, ids: np.ndarray) -> np.ndarray:
        """Return bool (literal, unit) of some literals."""
        return unpack_rows(self.rows.take(np.asarray(ids)), self.rows.units)

    def conjunction(self, ids: np.ndarray) -> np.ndarray:
        """Return bool (persona, unit) for literal numbers (persona, k) padded with -1."""
        ids = np.atleast_2d(ids)
        used, position = np.unique(ids[ids >= 0], return_inverse=True)
        bits = self.rows.take(used)
        which = np.full(ids.shape, -1)
        which[ids >= 0] = position
        inside = np.full((len(ids), words_for(self.rows.units)), ~np.uint64(0))
        for column in which.T:
            inside[column >= 0] &= bits[column[column >= 0]]
        return unpack_rows(inside, self.rows.units)

    def rearranged(self, order: np.ndarray) -> Literals:
        """Return literals of which unit u holds what unit ``order[u]`` held."""
        return replace(self, rows=Reordered(self.rows, order))

    def sentence(self, ids: np.ndarray) -> str:
        """Return a persona as a reader sees it."""
        return " and ".join(self.text[i] for i in ids if i >= 0)

    def features_of(self, ids: np.ndarray) -> list[str]:
        """Return the names of the features a persona constrains."""
        return [self.feature_names[self.feature[i]] for i in ids if i >= 0]

    def candidates(self, max_literals: int) -> int:
        """Return how many conjunctions of 1..L literals on distinct features there are.

        Examples
        --------
        >>> from ketadask.search.encoding import LiteralSettings, encode_values
        >>> encode_values(np.arange(20.0).reshape(10, 2), LiteralSettings(cuts=1)).candidates(2)
        8
        """
        sizes = np.bincount(self.feature, minlength=len(self.feature_names))
        ways = [1] + [0] * max_literals
        for size in (int(size) for size in sizes):
            for k in range(max_literals, 0, -1):
                ways[k] += ways[k - 1] * size
        return sum(ways[1:])

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
                }
            )
        )

    @property
    def support(self) -> np.ndarray:
        """int64 (literal,): how many units each holds."""
        counted = [np.bitwise_count(bits).sum(axis=1) for bits in in_steps(self.rows)]
        return np.concatenate([np.zeros(0, dtype=np.int64), *counted]).astype(np.int64)

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.blake2b(f"{len(self)} {self.rows.units}".encode(), digest_size=16)
        for bits in in_steps(self.rows):
            digest.update(bits.tobytes())
        for array in (self.feature, self.modality, self.low, self.high):
            digest.update(f"{array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update("\x00".join(self.feature_names + self.modality_names + self.text).encode())
        return digest.hexdigest()

    def __dask_tokenize__(self) -> tuple[str, str]:
        """Equal literals have equal tokens, in any process."""
        return "ketadask.search.literals.Literals", self._digest


def literal_text(feature: str, low: float, high: float, *, whole: bool) -> str:
    """Return a literal as a reader sees it; ``whole`` says the feature takes whole numbers only.

    Examples
    --------
    >>> literal_text("bdi_10", 0, math.inf, whole=True)
    'bdi_10 >= 1'
    >>> literal_text("bdi_10", 2.5, math.inf, whole=True)
    'bdi_10 >= 3'
    >>> literal_text("age", 30.5, 41, whole=False)
    '30.5 < age <= 41'
    """
    if math.isinf(low):
        return f"{feature} <= {high:.12g}"
    if math.isinf(high):
        return f"{feature} >= {math.floor(low) + 1}" if whole else f"{feature} > {low:.12g}"
    return f"{low:.12g} < {feature} <= {high:.12g}"
