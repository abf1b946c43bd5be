"""Personas evaluated on every split, on its training set and on its holdout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.null import IDS
from ketadask.kernels.gates import gates as compare
from ketadask.kernels.q_statistic import persona_q

if TYPE_CHECKING:
    from ketadask.cohort.designs import TrialArrays
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.search.thresholds import GateThresholds
    from ketadask.store.ranges import Range

_GATE_COLUMNS = ("p", "d", "interaction", "interaction_p", "published", "heterogeneity")


@dataclass(frozen=True, eq=False)
class PersonaSet:
    """Personas to evaluate: (P, 4) literal indices padded with -1, and polarities (P,)."""

    ids: np.ndarray
    polarity: np.ndarray

    @classmethod
    def of(cls, result_by_polarity: Mapping[str, Any], *more: pd.DataFrame) -> PersonaSet:
        """Collect search results per polarity, and tables with polarity and literals.

        Duplicates count once, at their first place.

        Examples
        --------
        >>> table = pd.DataFrame([["favourable", 0, 2, -1, -1], ["favourable", 0, 2, -1, -1]],
        ...                      columns=["polarity", *IDS])
        >>> len(PersonaSet.of({}, table))
        1
        """
        columns = ["polarity", *IDS]
        tables = [
            pd.DataFrame(np.asarray(result.ids), columns=list(IDS)).assign(polarity=polarity)
            for polarity, result in result_by_polarity.items()
        ]
        empty = pd.DataFrame({name: [] for name in columns})
        table = pd.concat([empty, *tables, *(rows[columns] for rows in more)])[columns]
        table = table.drop_duplicates()
        return cls(table[list(IDS)].to_numpy(dtype=np.int32), table["polarity"].to_numpy(dtype=str))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def sign(self) -> np.ndarray:
        """(P,) 1 where favourable, -1 where unfavourable."""
        return np.where(self.polarity == nm.UNFAVOURABLE, -1.0, 1.0)

    def frame(self) -> pd.DataFrame:
        """Return polarity and literal columns, a row per persona."""
        table = pd.DataFrame(self.ids, columns=list(IDS))
        table.insert(0, "polarity", self.polarity)
        return table

    def __dask_tokenize__(self) -> tuple[str, bytes, bytes]:
        """Return the same token for equal personas, in any process."""
        return "PersonaSet", self.ids.tobytes(), "|".join(self.polarity).encode()


def evaluate_block(
    problem: SearchProblem,
    personas: PersonaSet,
    splitter: Any,
    searches: pd.DataFrame,
    block: Range,
    *,
    search: PersonaSearch,
    gates: GateThresholds,
) -> pd.DataFrame:
    """Evaluate every persona on the first to the last split of ``block``.

    ``searches`` keeps ``schema.SEARCHES``: its ``q_last`` is the minimum Q of the K best personas
    on train. ``search`` gives objective and support constraints.

    Returns
    -------
    One row per split and persona, splits first, personas in their order: ``kept`` (among the K
    best on train: admissible there, and Q not below ``q_last``; personas of equal covers or on the
    same features count one by one), the verdicts of the two gates, p and d on both sides, supports
    and sizes of the sides. The training set is what was searched: the units with a score when only
    train is known.
    """
    trial, splits = problem.trial, np.arange(block[0], block[1] + 1)
    cover = problem.literals.conjunction(personas.ids)
    masks = [splitter.train_mask(int(split), trial) for split in splits]
    score, holdout = np.stack([trial.scores(mask) for mask in masks]), ~np.stack(masks)
    train = np.isfinite(score)
    q, support = persona_q(cover, train, score, search.objective)
    q = q * personas.sign[:, None]
    among_best = admissible_mask(problem, search, cover, train)
    for polarity in np.unique(personas.polarity):
        mine = personas.polarity == polarity
        among_best[mine] &= q[mine] >= _last_q(searches, polarity, splits)
    support_holdout = cover.astype(np.float64) @ holdout.T.astype(np.float64)
    columns: dict[str, np.ndarray] = {
        "split": np.repeat(splits, len(personas)),
        "persona": np.tile(np.arange(len(personas), dtype=np.int32), len(splits)),
        "kept": among_best.T.ravel(),
        "q": q.T.ravel(),
        "n_train": np.repeat(train.sum(axis=1), len(personas)),
        "n_holdout": np.repeat(holdout.sum(axis=1), len(personas)),
        "support_train": support.T.ravel(),
        "support_holdout": np.rint(support_holdout).astype(np.int64).T.ravel(),
    }
    for side, masks_of_side in ((nm.TRAIN, train), (nm.HOLDOUT, holdout)):
        tables = [_side(cover, trial, personas.sign, mask, gates) for mask in masks_of_side]
        for name in _GATE_COLUMNS:
            columns[f"{name}_{side}"] = np.concatenate([table[name] for table in tables])
    return pd.DataFrame(columns)


def admissible_mask(
    problem: SearchProblem, search: PersonaSearch, cover: np.ndarray, train: np.ndarray
) -> np.ndarray:
    """Return bool (P, S): whether a search of the training sets (S, U) may return the persona."""
    inside, sides = cover.astype(np.float64), train.T.astype(np.float64)
    n_train = train.sum(axis=1)
    floor = np.array([search.support_floor(int(n)) for n in n_train])
    support = inside @ sides
    # A persona of all units contrasts with nothing: the search returns no such persona.
    mask = (support >= floor) & (support < n_train)
    if not problem.trial.has_pairs:
        active = (problem.trial.arm == 1)[:, None]
        for arm in (active, ~active):
            mask &= inside @ (sides * arm) >= search.min_per_arm
    return np.asarray(mask)


def _last_q(searches: pd.DataFrame, polarity: str, splits: np.ndarray) -> np.ndarray:
    """(S,) Q of the last of the K best personas; NaN, which nothing reaches, of missing splits."""
    mine = searches[searches["polarity"] == polarity].set_index("split")["q_last"]
    return mine.reindex(splits).to_numpy(dtype=np.float64)


def _side(
    cover: np.ndarray,
    trial: TrialArrays,
    sign: np.ndarray,
    units: np.ndarray,
    gates: GateThresholds,
) -> dict[str, np.ndarray]:
    """Gates of all personas on one side of one split."""
    card = compare(cover[:, units], trial.outcome[units], trial.cluster[units], trial.has_pairs)
    card |= gates.passes(card, sign)
    return {name: card[name] for name in _GATE_COLUMNS}
