"""Chosen personas held against every split: what each was worth on train and on holdout."""

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

_KEPT = ("p", "d", "interaction", "interaction_p", "published", "heterogeneity")


@dataclass(frozen=True, eq=False)
class PersonaSet:
    """Personas chosen for judgement: (P, 4) literal numbers padded with -1, and polarities (P,)."""

    ids: np.ndarray
    polarity: np.ndarray

    @classmethod
    def of(cls, found: Mapping[str, Any], *more: pd.DataFrame) -> PersonaSet:
        """Gather what searches found per polarity, and tables with polarity and literals.

        Duplicates count once; the first stays where it is.

        Examples
        --------
        >>> table = pd.DataFrame([["favourable", 0, 2, -1, -1], ["favourable", 0, 2, -1, -1]],
        ...                      columns=["polarity", *IDS])
        >>> len(Personas.of({}, table))
        1
        """
        frames = [
            pd.DataFrame(np.asarray(each.ids), columns=list(IDS)).assign(polarity=polarity)
            for polarity, each in found.items()
        ]
        columns = ["polarity", *IDS]
        empty = pd.DataFrame({name: [] for name in columns})
        table = pd.concat([empty, *frames, *(each[columns] for each in more)])[columns]
        table = table.drop_duplicates()
        return cls(table[list(IDS)].to_numpy(dtype=np.int32), table["polarity"].to_numpy(dtype=str))

    def __len__(self) -> int:
        """Return how many there are."""
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
        """Equal personas have equal tokens, in any process."""
        return "Personas", self.ids.tobytes(), "|".join(self.polarity).encode()


def evaluate_block(
    problem: SearchProblem,
    personas: PersonaSet,
    splitter: Any,
    searches: pd.DataFrame,
    numbers: Range,
    *,
    search: PersonaSearch,
    gates: GateThresholds,
) -> pd.DataFrame:
    """Hold every persona against the splits ``numbers[0]`` .. ``numbers[1]``, both included.

    Parameters
    ----------
    searches
        Table of the searches of these splits (``schema.SEARCHES``): its ``q_last`` says how good
        a persona had to be to be among the K best on train.
    search
        The search whose objective and support constraints decide what was admissible.
    gates
        Thresholds of the gates.

    Returns
    -------
    One row per split and persona, splits first, personas in their order: ``kept`` (among the K
    best on train: admissible there, and Q not below ``q_last``; of equal covers, and of personas
    on the same features, each counts),
    the two gates' verdicts, p and d on both sides, supports and sizes of the sides. The train
    side is what was searched: those who have a score when only train is known.
    """
    trial, splits = problem.trial, np.arange(numbers[0], numbers[1] + 1)
    cover = problem.literals.conjunction(personas.ids)
    drawn = [
        splitter.mask(int(i), trial.participant, trial.split_stratum, trial.trial) for i in splits
    ]
    score, holdout = np.stack([trial.scores(each) for each in drawn]), ~np.stack(drawn)
    train = np.isfinite(score)
    q, support = persona_q(cover, train, score, search.objective)
    q = q * personas.sign[:, None]
    kept = admissible(problem, search, cover, train)
    for polarity in np.unique(personas.polarity):
        mine = personas.polarity == polarity
        kept[mine] &= q[mine] >= _last_q(searches, polarity, splits)
    held_out = cover.astype(np.float64) @ holdout.T.astype(np.float64)
    columns: dict[str, np.ndarray] = {
        "split": np.repeat(splits, len(personas)),
        "persona": np.tile(np.arange(len(personas), dtype=np.int32), len(splits)),
        "kept": kept.T.ravel(),
        "q": q.T.ravel(),
        "n_train": np.repeat(train.sum(axis=1), len(personas)),
        "n_holdout": np.repeat(holdout.sum(axis=1), len(personas)),
        "support_train": support.T.ravel(),
        "support_holdout": np.rint(held_out).astype(np.int64).T.ravel(),
    }
    for side, units in ((nm.TRAIN, train), (nm.HOLDOUT, holdout)):
        made = [_side(cover, trial, personas.sign, each, gates) for each in units]
        for name in _KEPT:
            columns[f"{name}_{side}"] = np.concatenate([each[name] for each in made])
    return pd.DataFrame(columns)


def admissible(
    problem: SearchProblem, search: PersonaSearch, cover: np.ndarray, train: np.ndarray
) -> np.ndarray:
    """Return bool (P, S): whether the search may name the persona when it sees ``train`` (S, U)."""
    inside, sides = cover.astype(np.float64), train.T.astype(np.float64)
    searched = train.sum(axis=1)
    floor = np.array([search.support_floor(int(n)) for n in searched])
    held = inside @ sides
    # Who holds everybody differs from nobody: the search names no such persona.
    allowed = (held >= floor) & (held < searched)
    if not problem.trial.paired:
        active = (problem.trial.arm == 1)[:, None]
        for arm in (active, ~active):
            allowed &= inside @ (sides * arm) >= search.min_per_arm
    return allowed


def _last_q(searches: pd.DataFrame, polarity: str, splits: np.ndarray) -> np.ndarray:
    """(S,) Q of the last persona kept; NaN, which nothing reaches, of splits not listed."""
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
    made = compare(cover[:, units], trial.outcome[units], trial.participant[units], trial.paired)
    made |= gates.passed(made, sign)
    return {name: made[name] for name in _KEPT}
