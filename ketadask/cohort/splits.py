"""Training and holdout sets of a resampling study; each split is drawn from its address alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask.cohort.designs import TrialArrays, cluster_codes
from ketadask.schema.errors import InputError, nearest

if TYPE_CHECKING:
    import xarray as xr

MIN_SIDE = 2
GROUPINGS = ("participant", "case")
BY_SIZE = ("holdout", "complementary")
SCHEMES = (*BY_SIZE, "bootstrap", "leave-trial-out")


@dataclass(frozen=True)
class HoldoutSplit:
    """Random training and holdout sets, each addressed by its index.

    Split ``i`` draws from ``SeedSequence(seed, spawn_key=(i,))`` only, so every worker draws the
    same split, in any order.

    Parameters
    ----------
    n_splits
        Number of splits; ``leave-trial-out`` has one per trial.
    seed
        Address of all splits.
    train_size
        Fraction of the participants in the training set, the probability of each participant. In
        each stratum their number is the floor or the ceiling of ``train_size`` times its size, and
        so is the total; which strata round up is drawn at random.
    group_by
        ``participant`` keeps all units of a participant, and of a cluster of participants, on one
        side; ``case`` splits units singly, as published analyses of crossover trials did.
    scheme
        ``holdout``; ``complementary``: splits 2i and 2i+1 swap sides, train_size must be 0.5;
        ``bootstrap``: participants are drawn with replacement within stratum, the training set are
        those drawn at least once (about 63 %), and the holdout set may be empty when there are few;
        ``leave-trial-out``: split i holds out the i-th trial.
    stratify
        Whether the sets are drawn within strata.

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

    def train_mask(self, split: int, trial: TrialArrays | xr.Dataset) -> np.ndarray:
        """Return the training set of a split of a trial or search matrix, bool (unit,)."""
        if isinstance(trial, TrialArrays):
            return self.mask(split, trial.cluster, trial.split_stratum, trial.trial)
        return self.mask(split, *_roles(trial, None, None))

    def mask(
        self, split: int, participant: Any, stratum: Any = None, trial: Any = None
    ) -> np.ndarray:
        """Return the training set of a split.

        Parameters
        ----------
        split
            Index of the split, from 0; it may exceed ``n_splits``.
        participant
            (unit,) equal values are the same participant, or the same cluster.
        stratum
            (unit,) strata; a participant belongs to that of its first unit.
        trial
            (unit,) trial of the unit, for ``leave-trial-out``.

        Returns
        -------
        (unit,) bool, True in the training set.
        """
        participant = np.asarray(participant)
        if split < 0:
            raise InputError("the index of a split is 0 or more", value=split)
        if self.scheme == "leave-trial-out":
            return _leave_trial_out(split, participant, trial)
        if self.group_by == "case":
            first = entity = np.arange(participant.shape[0])
        else:
            _, first, entity = np.unique(participant, return_index=True, return_inverse=True)
        if first.shape[0] < 2:
            raise InputError(f"too few {self.group_by}s to split in two", value=int(first.shape[0]))
        if stratum is None or not self.stratify:
            strata = np.zeros(first.shape[0], dtype=np.int64)
        else:
            strata = np.unique(np.asarray(stratum)[first], return_inverse=True)[1]
        address = split // 2 if self.scheme == "complementary" else split
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(address,)))
        if self.scheme == "bootstrap":
            return _bootstrap(strata, rng)[entity]
        train = _draw_stratified(strata, self.train_size, rng)[entity]
        return ~train if self.scheme == "complementary" and split % 2 else train

    def check_sides(self, participant: Any, *, where: str = "train_size") -> None:
        """Raise where a side would have fewer than two participants; ``where`` names the key.

        Cases count where ``group_by`` is ``case``. Only the schemes ``holdout`` and
        ``complementary`` depend on ``train_size``.

        Examples
        --------
        >>> HoldoutSplit(train_size=0.1).check_sides(range(20))
        >>> HoldoutSplit(train_size=0.1).check_sides(range(19), where="splits.train_size")
        Traceback (most recent call last):
        ...
        ketadask.schema.errors.InputError: splits.train_size: ...
        """
        if self.scheme not in BY_SIZE:
            return
        count, *smallest = self.smallest_sides(participant)
        if min(smallest) < MIN_SIDE:
            low = math.ceil(1000 * MIN_SIDE / max(count, 1)) / 1000
            remedy = f"choose a train_size of {low:.3g} to {1 - low:.3g}"
            raise InputError(
                f"with {count} {self.group_by}s a training set may have {smallest[0]} and a "
                f"holdout set {smallest[1]}, expected {MIN_SIDE} or more",
                where=where,
                value=self.train_size,
                remedy=remedy if count >= 2 * MIN_SIDE else f"more {self.group_by}s are needed",
            )

    def smallest_sides(self, participant: Any) -> tuple[int, int, int]:
        """Return the number of participants (or cases), and the least on the two sides.

        For the schemes whose sets depend on ``train_size``.

        Examples
        --------
        >>> HoldoutSplit(train_size=0.7).smallest_sides([0, 0, 1, 2, 3, 4])
        (5, 3, 1)
        """
        participant = np.asarray(participant)
        count = int((participant if self.group_by == "case" else np.unique(participant)).shape[0])
        train = round(self.train_size * count, 9)  # 0.29 * 100 is 28.999...
        return count, math.floor(train), count - math.ceil(train)

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (train, holdout) positions, the splitter protocol of scikit-learn.

        A search matrix has its own participants, strata and trials. For other data ``groups`` are
        the participants (one per row by default; the trials for ``leave-trial-out``), and ``y`` is
        the stratum where it holds classes.

        Examples
        --------
        >>> X = np.zeros((4, 1))
        >>> [(a.tolist(), b.tolist()) for a, b in HoldoutSplit(2, seed=1).split(X)]
        [([0, 3], [1, 2]), ([1, 2], [0, 3])]
        """
        participant, stratum, trial = _roles(X, y, groups)
        for split in range(self.get_n_splits(X, y, groups)):
            train = self.mask(split, participant, stratum, trial)
            yield np.flatnonzero(train), np.flatnonzero(~train)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits."""
        if self.scheme != "leave-trial-out" or (X is None and groups is None):
            return self.n_splits
        return int(np.unique(_roles(X, y, groups)[2]).shape[0])


def _draw_stratified(strata: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a fraction of each stratum; remainders round by systematic sampling over the strata.

    Each stratum rounds up with its remainder as the probability, and the total is off by less than
    one. ``strata`` are codes 0, 1, ... (entity,).
    """
    sizes = np.bincount(strata)
    exact = np.round(fraction * sizes, 9)  # 0.29 * 100 is 28.999...
    floor = np.floor(exact)
    order = rng.permutation(sizes.shape[0])
    ends = np.round(np.cumsum((exact - floor)[order]), 9)
    extra = np.diff(np.floor(ends + rng.random()), prepend=0.0)
    quota = floor.astype(np.int64)
    quota[order] += extra.astype(np.int64)
    random_order = np.lexsort((rng.random(len(strata)), strata))
    rank = np.empty(strata.shape[0], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    rank[random_order] = np.arange(strata.shape[0]) - np.repeat(starts, sizes)
    return np.asarray(rank < quota[strata])


def _bootstrap(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    train = np.zeros(strata.shape[0], dtype=bool)
    for code in range(int(strata.max()) + 1 if strata.size else 0):
        members = np.flatnonzero(strata == code)
        train[members[rng.integers(0, members.shape[0], members.shape[0])]] = True
    return train


def _leave_trial_out(split: int, participant: np.ndarray, trial: Any) -> np.ndarray:
    codes = np.unique(np.zeros(participant.shape[0]) if trial is None else np.asarray(trial))
    if codes.shape[0] < 2:
        raise InputError(
            "leave-trial-out needs at least two trials",
            value=int(codes.shape[0]),
            remedy="use scheme holdout, or give every participant a trial",
        )
    if split >= codes.shape[0]:
        raise InputError(
            f"leave-trial-out has {codes.shape[0]} splits, one per trial", value=f"split {split}"
        )
    train = np.asarray(trial) != codes[split]
    if np.intersect1d(participant[train], participant[~train]).size:
        raise InputError(
            "a participant or cluster belongs to two trials and would be in both sets",
            remedy="give each person one trial, or different participant ids",
        )
    return np.asarray(train)


def _roles(X: Any, y: Any, groups: Any) -> tuple[np.ndarray, Any, Any]:
    """Return participant, stratum and trial of a units dataset or of scikit-learn's arguments."""
    coords = getattr(X, "coords", None)
    if coords is not None and "split_stratum" in coords:
        return (
            cluster_codes(X),
            np.asarray(X["split_stratum"]),
            np.asarray(X["trial"]),
        )
    rows = len(X) if X is not None else len(groups)
    participant = np.arange(rows) if groups is None else np.asarray(groups)
    classes = y is not None and np.asarray(y).dtype.kind in "OUTSbiu"
    return participant, np.asarray(y) if classes else None, groups
