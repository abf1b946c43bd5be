"""Folds of repeated nested cross-validation: grouped, stratified, by site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.schema.errors import InputError, nearest

if TYPE_CHECKING:
    from ketadask.predict.classifier_data import ClassifierData

MIXED_SITES, LEAVE_SITE_OUT = "pooled", "leave-site-out"
NESTED_LEAVE_SITE_OUT = "nested-leave-site-out"
CV_SCHEMES = (MIXED_SITES, LEAVE_SITE_OUT, NESTED_LEAVE_SITE_OUT)
Fold = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class NestedFolds:
    """Repeated nested cross-validation: the rows of every outer and inner fold.

    Parameters
    ----------
    scheme
        ``pooled``: outer and inner folds mix the sites. ``leave-site-out``: every outer fold is
        one site. ``nested-leave-site-out``: every inner fold is one site, too.
    repeats, folds, inner_repeats, inner_folds
        Numbers of repeats and folds. Where sites are the folds, they are as many as the sites,
        and repeats would be identical.
    seed
        Repeat r draws from SeedSequence(seed, spawn_key=(stream, r)), inner repeat i of outer fold
        j from (stream, j + 1, 0, i), so any fold can be drawn alone.
    train_fraction
        Fraction of the participants of each outer training set that is used, of each site and
        label; a smaller fraction is part of a larger one. The test rows do not depend on it.

    Examples
    --------
    >>> NestedFolds(repeats=2, folds=5).scheme
    'pooled'
    """

    scheme: str = MIXED_SITES
    repeats: int = 10
    folds: int = 10
    inner_repeats: int = 10
    inner_folds: int = 10
    seed: int = 0
    train_fraction: float = 1.0

    def __post_init__(self) -> None:
        if self.scheme not in CV_SCHEMES:
            raise InputError(
                "unknown cross-validation scheme",
                where="cv",
                value=self.scheme,
                remedy=nearest(self.scheme, CV_SCHEMES),
            )
        minimum = {"repeats": 1, "folds": 2, "inner_repeats": 1, "inner_folds": 2}
        for name, least in minimum.items():
            if getattr(self, name) < least:
                raise InputError(
                    f"needs at least {least}",
                    where=name,
                    value=getattr(self, name),
                    remedy=f"set it to {least} or more",
                )

    def check(self, cases: ClassifierData) -> None:
        """Raise where these cases have too few sites or participants for the folds."""
        sites = len(np.unique(cases.site))
        least = CV_SCHEMES.index(self.scheme) + 1
        if sites < least:
            raise InputError(
                f"cross-validation {self.scheme} needs {least} sites",
                where="cv",
                value=sites,
                remedy="use cv: pooled, or give every case its site",
            )
        for label in (0, 1):
            count = len(np.unique(cases.participant[cases.label == label]))
            least = max(self.folds, 4) if self.scheme == MIXED_SITES else 3
            if count < least:
                raise InputError(
                    f"only {count} participants have label {label}, the folds need {least}",
                    where="cv",
                    remedy="use fewer folds, or another threshold of response",
                )
        if self.scheme != MIXED_SITES:
            self._check_sites(cases)

    def _check_sites(self, cases: ClassifierData) -> None:
        """Raise where training sets without some sites have too few participants of a label."""
        n_out, least = (1, 2) if self.scheme == LEAVE_SITE_OUT else (2, 1)
        for out in combinations(np.unique(cases.site).tolist(), n_out):
            train = cases.take(~np.isin(cases.site, out))
            for label in (0, 1):
                if len(np.unique(train.participant[train.label == label])) < least:
                    raise InputError(
                        f"without this site too few participants have label {label}",
                        where="cv",
                        value=" and ".join(out),
                        remedy="use cv: pooled, or merge sites",
                    )

    def outer_folds(self, cases: ClassifierData) -> int:
        """Return the number of outer folds per repeat."""
        return self.folds if self.scheme == MIXED_SITES else len(np.unique(cases.site))

    def count(self, cases: ClassifierData) -> int:
        """Return the number of outer folds over all repeats."""
        repeats = 1 if self.scheme == NESTED_LEAVE_SITE_OUT else self.repeats
        return repeats * self.outer_folds(cases)

    def outer(self, cases: ClassifierData, index: int) -> Fold:
        """Return the training and the test rows of outer fold ``index``."""
        repeat, fold = divmod(index, self.outer_folds(cases))
        if self.scheme == MIXED_SITES:
            fold_of_case = assign_folds(cases, self.folds, seed=self.seed, address=(repeat,))
        else:
            fold_of_case = _site_codes(cases)
        train = np.flatnonzero(fold_of_case != fold)
        if self.train_fraction < 1:
            train = train[self._first_participants(cases.take(train), index)]
        return train, np.flatnonzero(fold_of_case == fold)

    def _first_participants(self, cases: ClassifierData, index: int) -> np.ndarray:
        """Return the rows of the first participants in a random order, by site and label."""
        address = np.random.SeedSequence(self.seed, spawn_key=(nm.STREAM_FOLD, index + 1, 1))
        rng = np.random.default_rng(address)
        people, first, of_case = np.unique(
            cases.participant, return_index=True, return_inverse=True
        )
        order = rng.permutation(len(people))
        stratum = 2 * _site_codes(cases)[first] + cases.label[first]
        chosen = np.zeros(len(people), dtype=bool)
        for value in np.unique(stratum):
            group = order[stratum[order] == value]
            chosen[group[: max(ceil(self.train_fraction * len(group)), 2)]] = True
        return np.flatnonzero(chosen[of_case])

    def inner(self, cases: ClassifierData, index: int) -> Iterator[Fold]:
        """Yield training and test rows within ``cases``, the training set of outer fold ``index``.

        The folds of a model of a whole cohort have the index -1.
        """
        if self.scheme == NESTED_LEAVE_SITE_OUT:
            yield from _train_and_test(_site_codes(cases))
            return
        for repeat in range(self.inner_repeats):
            address = (index + 1, 0, repeat)
            yield from _train_and_test(
                assign_folds(cases, self.inner_folds, seed=self.seed, address=address)
            )


def assign_folds(
    cases: ClassifierData, folds: int, *, seed: int, address: tuple[int, ...]
) -> np.ndarray:
    """Return (case,) the fold of every case, stratified by label and site.

    Cases of a participant share a fold. Folds differ by at most one in participants, and by at
    most one in participants of any label.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(nm.STREAM_FOLD, *address)))
    people, first, of_case = np.unique(cases.participant, return_index=True, return_inverse=True)
    response_rate = np.bincount(of_case, weights=cases.label) / np.bincount(of_case)
    order = rng.permutation(len(people))
    site = _site_codes(cases)[first]
    order = order[np.lexsort((site[order], response_rate[order]))]
    fold = np.empty(len(people), dtype=np.int64)
    fold[order] = rng.permutation(folds)[np.arange(len(people)) % folds]
    return fold[of_case]


def _site_codes(cases: ClassifierData) -> np.ndarray:
    return np.unique(cases.site, return_inverse=True)[1]


def _train_and_test(fold_of_case: np.ndarray) -> Iterator[Fold]:
    for fold in range(int(fold_of_case.max()) + 1):
        yield np.flatnonzero(fold_of_case != fold), np.flatnonzero(fold_of_case == fold)
