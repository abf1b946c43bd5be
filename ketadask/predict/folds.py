"""Who is held out when: folds that draw from their address, grouped, stratified, by site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.schema.errors import InputError, nearest

if TYPE_CHECKING:
    from ketadask.predict.classifier_data import ClassifierData

POOLED, LEAVE_SITE_OUT, NESTED_LEAVE_SITE_OUT = "pooled", "leave-site-out", "nested-leave-site-out"
FRAMES = (POOLED, LEAVE_SITE_OUT, NESTED_LEAVE_SITE_OUT)
Fold = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class NestedFolds:
    """Repeated nested cross-validation: which cases train, choose and test.

    Parameters
    ----------
    kind
        ``pooled``: outer and inner folds mix the sites. ``leave-site-out``: every outer fold is
        one site. ``nested-leave-site-out``: every inner fold is one site, too.
    repeats, folds, inner_repeats, inner_folds
        How often, and into how many, cases are divided; where sites are the folds, their number
        counts, and repeating them would change nothing.
    seed
        Repeat r draws from SeedSequence(seed, spawn_key=(stream, r)), inner repeat i of outer fold
        number j from (stream, j + 1, 0, i): any fold can be made alone.

    Examples
    --------
    >>> Frame(repeats=2, folds=5).kind
    'pooled'
    """

    kind: str = POOLED
    repeats: int = 10
    folds: int = 10
    inner_repeats: int = 10
    inner_folds: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in FRAMES:
            raise InputError(
                "no such frame", where="frame", value=self.kind, remedy=nearest(self.kind, FRAMES)
            )
        least = {"repeats": 1, "folds": 2, "inner_repeats": 1, "inner_folds": 2}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise InputError(
                    f"needs at least {smallest}",
                    where=f"frame.{name}",
                    value=getattr(self, name),
                    remedy=f"set it to {smallest} or more",
                )

    def check(self, cases: ClassifierData) -> None:
        """Raise where these cases cannot be divided like this."""
        sites = len(np.unique(cases.site))
        needed = FRAMES.index(self.kind) + 1
        if sites < needed:
            raise InputError(
                f"the frame {self.kind} needs {needed} sites",
                where="frame",
                value=sites,
                remedy="use the frame pooled, or give every case its site",
            )
        for label in (0, 1):
            count = len(np.unique(cases.participant[cases.label == label]))
            least = max(self.folds, 4) if self.kind == POOLED else 3
            if count < least:
                raise InputError(
                    f"only {count} participants have label {label}, the folds need {least}",
                    where="frame",
                    remedy="use fewer folds, or another threshold of response",
                )
        if self.kind != POOLED:
            self._check_sites(cases)

    def _check_sites(self, cases: ClassifierData) -> None:
        """Raise where the sites that are left to train on have too few of a label."""
        apart, least = (1, 2) if self.kind == LEAVE_SITE_OUT else (2, 1)
        for out in combinations(np.unique(cases.site).tolist(), apart):
            left = cases.take(~np.isin(cases.site, out))
            for label in (0, 1):
                if len(np.unique(left.participant[left.label == label])) < least:
                    raise InputError(
                        f"without it too few participants have label {label}",
                        where="frame",
                        value=" and ".join(out),
                        remedy="use the frame pooled, or join sites",
                    )

    def outer_folds(self, cases: ClassifierData) -> int:
        """Return how many outer folds one repeat has."""
        return self.folds if self.kind == POOLED else len(np.unique(cases.site))

    def count(self, cases: ClassifierData) -> int:
        """Return how many outer folds there are over all repeats."""
        repeats = 1 if self.kind == NESTED_LEAVE_SITE_OUT else self.repeats
        return repeats * self.outer_folds(cases)

    def outer(self, cases: ClassifierData, number: int) -> Fold:
        """Return rows of the train and of the test part of outer fold ``number``."""
        repeat, fold = divmod(number, self.outer_folds(cases))
        if self.kind == POOLED:
            dealt = deal(cases, self.folds, seed=self.seed, address=(repeat,))
        else:
            dealt = _by_site(cases)
        return np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)

    def inner(self, cases: ClassifierData, number: int) -> Iterator[Fold]:
        """Yield train and test rows within ``cases``, the train part of outer fold ``number``.

        The folds of a model fitted to a whole cohort have the number -1.
        """
        if self.kind == NESTED_LEAVE_SITE_OUT:
            yield from _parted(_by_site(cases))
            return
        for repeat in range(self.inner_repeats):
            address = (number + 1, 0, repeat)
            yield from _parted(deal(cases, self.inner_folds, seed=self.seed, address=address))


def deal(cases: ClassifierData, folds: int, *, seed: int, address: tuple[int, ...]) -> np.ndarray:
    """Deal participants into folds like cards, label by label and site by site.

    Returns
    -------
    (case,) fold of every case. Cases of a participant share a fold; the folds differ by at most
    one in participants, and by at most one in participants of any label.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(nm.STREAM_FOLD, *address)))
    people, first, of_case = np.unique(cases.participant, return_index=True, return_inverse=True)
    share = np.bincount(of_case, weights=cases.label) / np.bincount(of_case)
    shuffled = rng.permutation(len(people))
    site = np.unique(cases.site, return_inverse=True)[1][first]
    ordered = shuffled[np.lexsort((site[shuffled], share[shuffled]))]
    dealt = np.empty(len(people), dtype=np.int64)
    dealt[ordered] = rng.permutation(folds)[np.arange(len(people)) % folds]
    return dealt[of_case]


def _by_site(cases: ClassifierData) -> np.ndarray:
    return np.unique(cases.site, return_inverse=True)[1]


def _parted(dealt: np.ndarray) -> Iterator[Fold]:
    for fold in range(int(dealt.max()) + 1):
        yield np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)
