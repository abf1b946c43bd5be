"""Train and holdout sides of a resampling study: split number i can be made alone, anywhere."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from ketadask.schema.errors import InputError, nearest

LEAST = 2
GROUPINGS = ("participant", "case")
SCHEMES = ("holdout", "complementary", "bootstrap", "leave-trial-out")


@dataclass(frozen=True)
class HoldoutSplit:
    """Random train and holdout sides, addressed by number.

    Split ``i`` draws from ``SeedSequence(seed, spawn_key=(i,))`` and from nothing else, so any
    split can be made on any worker in any order, bit-identical.

    Parameters
    ----------
    n_splits
        How many splits; ``leave-trial-out`` has as many as there are trials.
    seed
        Address of the whole study of splits.
    train_size
        Share of the participants on train. Every participant has exactly this chance. In each
        stratum the count on train is the floor or the ceiling of ``train_size`` times its size, and
        so is the count over all strata; which strata round up is drawn at random.
    group_by
        ``participant`` keeps all units of a participant on one side; ``case`` splits units singly,
        as published analyses of crossover trials did.
    scheme
        ``holdout``; ``complementary``: splits 2i and 2i+1 swap sides, train_size must be 0.5;
        ``bootstrap``: participants are drawn with replacement within stratum, the *set* of those
        drawn at least once (about 63 %) is train and the never drawn are holdout, which may be
        empty when there are few; ``leave-trial-out``: split i holds out the i-th trial.
    stratify
        Whether strata are respected.

    Examples
    --------
    >>> splits = HoldoutSplit(100, seed=7)
    >>> splits.mask(3, participant=[0, 0, 1, 1, 2, 2, 3, 3]).astype(int)
    array([1, 1, 1, 1, 0, 0, 0, 0])
    """

    n_splits: int = 1000
    _: KW_ONLY
    seed: int = 0
    train_size: float = 0.5
    group_by: str = "participant"
    scheme: str = "holdout"
    stratify: bool = True

    def __post_init__(self) -> None:
        for name, valid in (("group_by", GROUPINGS), ("scheme", SCHEMES)):
            value = getattr(self, name)
            if value not in valid:
                raise InputError(
                    f"unknown {name} of the splits",
                    value=value,
                    remedy=nearest(str(value), valid),
                )
        for name, least in (("n_splits", 1), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise InputError(
                    f"{name} of the splits must be a whole number, {least} or more", value=value
                )
        if not 0.0 < self.train_size < 1.0:
            raise InputError(
                "train_size must lie between 0 and 1",
                value=self.train_size,
                remedy="0.5 gives two halves",
            )
        if self.scheme == "complementary" and self.train_size != 0.5:
            raise InputError(
                "complementary splits need two halves",
                value=self.train_size,
                remedy="set train_size to 0.5",
            )

    def mask(self, i: int, participant: Any, stratum: Any = None, trial: Any = None) -> np.ndarray:
        """Return the train side of split ``i``.

        Parameters
        ----------
        i
            Number of the split, from 0. Any number may be asked for: more splits of the same
            study are the same splits and further ones.
        participant
            (unit,) equal values are the same participant.
        stratum
            (unit,) strata to respect; a participant belongs to that of its first unit.
        trial
            (unit,) trial of the unit, for ``leave-trial-out``.

        Returns
        -------
        (unit,) bool, True on train.
        """
        participant = np.asarray(participant)
        if i < 0:
            raise InputError("the number of a split is 0 or more", value=i)
        if self.scheme == "leave-trial-out":
            return _without_trial(i, participant, trial)
        if self.group_by == "case":
            drawn = np.arange(participant.shape[0])
            first = drawn
        else:
            _, first, drawn = np.unique(participant, return_index=True, return_inverse=True)
        if first.shape[0] < 2:
            raise InputError(f"too few {self.group_by}s to split in two", value=int(first.shape[0]))
        if stratum is None or not self.stratify:
            strata = np.zeros(first.shape[0], dtype=np.int64)
        else:
            strata = np.unique(np.asarray(stratum)[first], return_inverse=True)[1]
        address = i // 2 if self.scheme == "complementary" else i
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(address,)))
        if self.scheme == "bootstrap":
            return _drawn_with_replacement(strata, rng)[drawn]
        train = _stratified_share(strata, self.train_size, rng)[drawn]
        return ~train if self.scheme == "complementary" and i % 2 else train

    def need_two_sides(self, participant: Any, *, where: str = "train_size") -> None:
        """Refuse a share that leaves fewer than two on a side; ``where`` names its key.

        Participants are counted, or cases where ``keep`` is ``case``; sides of other schemes than
        ``holdout`` and ``complementary`` do not follow train_size.

        Examples
        --------
        >>> HoldoutSplit(train_size=0.1).need_two_sides(range(20))
        >>> HoldoutSplit(train_size=0.1).need_two_sides(range(19), where="splits.train_size")
        Traceback (most recent call last):
        ...
        ketadask.schema.errors.InputError: splits.train_size: ...
        """
        if self.scheme not in ("holdout", "complementary"):
            return
        participant = np.asarray(participant)
        count = int((participant if self.group_by == "case" else np.unique(participant)).shape[0])
        train = round(self.train_size * count, 9)  # 0.29 * 100 is 28.999...
        fewest = math.floor(train), count - math.ceil(train)
        if min(fewest) < LEAST:
            low = math.ceil(1000 * LEAST / max(count, 1)) / 1000
            remedy = f"choose a train_size of {low:.3g} to {1 - low:.3g}"
            raise InputError(
                f"of {count} {self.group_by}s a split would have {fewest[0]} on train or "
                f"{fewest[1]} on holdout, and each side needs {LEAST} or more",
                where=where,
                value=self.train_size,
                remedy=remedy if count >= 2 * LEAST else "more of them are needed",
            )

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (train, holdout) positions, the splitter protocol of scikit-learn.

        A units dataset brings its own participants, strata and trials. For anything else
        ``groups`` are the participants (each row its own when not given; the trials for
        ``leave-trial-out``) and ``y`` is the stratum where it holds classes.

        Examples
        --------
        >>> X = np.zeros((4, 1))
        >>> [(a.tolist(), b.tolist()) for a, b in HoldoutSplit(2, seed=1).split(X)]
        [([0, 3], [1, 2]), ([1, 2], [0, 3])]
        """
        participant, stratum, trial = _roles(X, y, groups)
        for i in range(self.get_n_splits(X, y, groups)):
            train = self.mask(i, participant, stratum, trial)
            yield np.flatnonzero(train), np.flatnonzero(~train)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return how many splits there are."""
        if self.scheme != "leave-trial-out" or (X is None and groups is None):
            return self.n_splits
        return int(np.unique(_roles(X, y, groups)[2]).shape[0])


def _stratified_share(
    strata: np.ndarray, train_size: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw ``train_size`` of each stratum; fractions round by systematic sampling over the strata.

    Laid end to end in random order from a random start, the fractions of the strata cross as many
    whole numbers as strata round up: each rounds up with its fraction as the chance, and the total
    is off by less than one. ``strata`` are codes 0, 1, ... (entity,).
    """
    sizes = np.bincount(strata)
    # 0.29 * 100 is 28.999...: what is whole to nine digits is meant to be whole.
    exact = np.round(train_size * sizes, 9)
    whole = np.floor(exact)
    order = rng.permutation(sizes.shape[0])
    ends = np.round(np.cumsum((exact - whole)[order]), 9)
    crossed = np.floor(ends + rng.random())
    extra = np.diff(crossed, prepend=0.0)
    quota = whole.astype(np.int64)
    quota[order] += extra.astype(np.int64)
    shuffled = np.lexsort((rng.random(strata.shape[0]), strata))
    rank = np.empty(strata.shape[0], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    rank[shuffled] = np.arange(strata.shape[0]) - np.repeat(starts, sizes)
    return rank < quota[strata]


def _drawn_with_replacement(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    train = np.zeros(strata.shape[0], dtype=bool)
    for code in range(int(strata.max()) + 1 if strata.size else 0):
        members = np.flatnonzero(strata == code)
        train[members[rng.integers(0, members.shape[0], members.shape[0])]] = True
    return train


def _without_trial(i: int, participant: np.ndarray, trial: Any) -> np.ndarray:
    codes = np.unique(np.zeros(participant.shape[0]) if trial is None else np.asarray(trial))
    if codes.shape[0] < 2:
        raise InputError(
            "leave-trial-out needs at least two trials",
            value=int(codes.shape[0]),
            remedy="use scheme holdout, or give every participant a trial",
        )
    if i >= codes.shape[0]:
        raise InputError(
            f"leave-trial-out has {codes.shape[0]} splits, one per trial", value=f"split {i}"
        )
    train = np.asarray(trial) != codes[i]
    if np.intersect1d(participant[train], participant[~train]).size:
        raise InputError(
            "a participant belongs to two trials, so leaving one out would leak",
            remedy="give each person one trial, or different participant ids",
        )
    return train


def _roles(X: Any, y: Any, groups: Any) -> tuple[np.ndarray, Any, Any]:
    """Return participant, stratum and trial of a units dataset or of scikit-learn's arguments."""
    coords = getattr(X, "coords", None)
    if coords is not None and "split_stratum" in coords:
        return (
            np.asarray(X["participant"]),
            np.asarray(X["split_stratum"]),
            np.asarray(X["trial"]),
        )
    rows = len(X) if X is not None else len(groups)
    participant = np.arange(rows) if groups is None else np.asarray(groups)
    classes = y is not None and np.asarray(y).dtype.kind in "OUTSbiu"
    return participant, np.asarray(y) if classes else None, groups
