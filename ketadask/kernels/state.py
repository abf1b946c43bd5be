"""What a compiled search works on, as named tuples: numba passes them on as plain values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MAX = 4
LANES = 8
NODES, SCREENED = 0, 1


class SearchArrays(NamedTuple):
    """Literals and scores of a search; units are in the order of descending score.

    Attributes
    ----------
    feature, modality
        int32 (literal,): the feature a literal constrains, and the modality of that feature.
    active, control
        uint64 (word,): packed units of each arm.
    centred
        float64 (unit,): centred scores, descending.
    inverse, denominator
        float64 (unit + 1,): Q is the sum of a cover's scores over ``denominator[support]``.
    sums
        Sums of all subsets of four neighbouring units, see `covers.sum_table`.
    """

    feature: np.ndarray
    modality: np.ndarray
    active: np.ndarray
    control: np.ndarray
    centred: np.ndarray
    inverse: np.ndarray
    denominator: np.ndarray
    sums: np.ndarray


class SearchLimits(NamedTuple):
    """Which conjunctions are personas; ``units`` is the number of units searched."""

    max_literals: int
    min_support: int
    min_per_arm: int
    min_modalities: int
    by_features: bool
    units: int


class ScreenBounds(NamedTuple):
    """Numbers of a `ScoreScreen`, in steps of the rounded scores.

    A cover of k units with weights ``total`` has a sum of at most ``total + excess + base * k``;
    ``denominator[k] ** 2`` is ``variance * k * (units - slope * k)``.
    """

    base: float
    excess: float
    variance: float
    slope: float
    units: float


class FineScreen(NamedTuple):
    """Scores rounded to 16 bit planes: uint64 (16, word), their step and a bound per unit."""

    planes: np.ndarray
    step: float
    base: float


class ScoreScreen(NamedTuple):
    """Scores rounded to 8 bit planes, uint64 (8, word), and finer, for covers that pass."""

    planes: np.ndarray
    bounds: ScreenBounds
    fine: FineScreen


class PriceScreen(NamedTuple):
    """Scores above a price, rounded up to 8 bit planes of one step.

    ``prune_rate`` is the fraction of pairs of literals that the price prunes.
    """

    planes: np.ndarray
    step: float
    price: float
    prune_rate: float


class BestList(NamedTuple):
    """The K best personas, see `best_list`: q and slots by rank; sizes, ids and covers by slot.

    ``n_filled`` is an array of one count.
    """

    q: np.ndarray
    slots: np.ndarray
    sizes: np.ndarray
    ids: np.ndarray
    covers: np.ndarray
    n_filled: np.ndarray


class SearchState(NamedTuple):
    """Everything that the parts of one search share.

    ``counts`` int64 (2,) are the prefixes expanded and the conjunctions screened so far.
    """

    arrays: SearchArrays
    limits: SearchLimits
    screen: ScoreScreen
    best: BestList
    counts: np.ndarray


class CoverBlock(NamedTuple):
    """Literals that follow each other in the search order.

    Attributes
    ----------
    covers
        uint64 (level, word, literal + LANES): the first level holds their covers.
    order
        int32 (literal,): index of each literal.
    first
        Position of the first of them in the search order.
    """

    covers: np.ndarray
    order: np.ndarray
    first: int
