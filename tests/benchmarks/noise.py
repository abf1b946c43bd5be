"""Pure noise features in a real trial: pass rates of the published gate and of the verdicts.

``python -m tests.benchmarks.noise --real FOLDER`` reads the public crossover trial (OpenNeuro
ds005917: MADRS two days after each infusion, participants with major depression), draws random
features for its participants, and counts how often at least one persona would have been
published. Every repetition has its own features, its own split and its own relabellings.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.cohort.designs import TrialArrays
from ketadask.cohort.splits import HoldoutSplit
from ketadask.kernels.gates import gates as compare
from ketadask.search.encoding import encode_values
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.problem import SearchProblem
from ketadask.search.thresholds import GateThresholds
from tests.benchmarks.error_rates import ALPHA, smallest_p
from tests.benchmarks.repeated import Bench, benchmark_parser, error_of, markdown, open_benchmark

if TYPE_CHECKING:
    from ketadask.store.ranges import Range

BOXES, BOX_LITERALS, DRAWN = 600, 3, 20_000
ANEW = 175
"""Of 360 features, the number rated 0-4 before each infusion; the others are measured once."""
GATES = GateThresholds()


def real_trial(folder: Path, *, design: str = "pooled", day: int = 2) -> TrialArrays:
    """Return the trial in the folder of ds005917 without its features."""
    from ketadask.cohort.assemble import assemble
    from ketadask.cohort.designs import trial_arrays
    from ketadask.cohort.units import score_units
    from ketadask.sources.participants import read_participants
    from ketadask.sources.phenotype import read_phenotype
    from ketadask.sources.visits import ARMS

    cohort = assemble(
        read_phenotype(folder, session_pattern=ARMS),
        participants=read_participants(folder),
        outcome="madrs",
        day=day,
        groups=["MDD"],
    )
    return trial_arrays(score_units(cohort, design=design))


def noise_problem(
    trial: TrialArrays, search: PersonaSearch, *, features: int, seed: int, index: int
) -> SearchProblem:
    """Return the trial with the random features of repetition ``index``."""
    stream = np.random.SeedSequence(seed, spawn_key=(nm.STREAM_SIMULATION, index))
    rng = np.random.default_rng(stream)
    people, code = np.unique(trial.participant, return_inverse=True)
    rated = round(features * ANEW / 360)
    value = np.empty((len(code), features))
    value[:, :rated] = rng.integers(0, 5, (len(code), rated))
    value[:, rated:] = rng.normal(size=(len(people), features - rated))[code]
    return SearchProblem(encode_values(value, search), trial)


def random_boxes(problem: SearchProblem, floor: int, rng: np.random.Generator) -> np.ndarray:
    """Return literal indices (600, 4) of random personas with at least ``floor`` units inside."""
    feature = problem.literals.feature
    drawn = rng.integers(0, len(feature), (DRAWN, BOX_LITERALS))
    used = np.sort(feature[drawn], axis=1)
    drawn = drawn[(np.diff(used, axis=1) > 0).all(axis=1)]
    held = problem.literals.holds[drawn].all(axis=1).sum(axis=1)
    kept = np.full((BOXES, nm.MAX_LITERALS), -1)
    admitted = drawn[held >= floor][:BOXES]
    kept[: len(admitted), :BOX_LITERALS] = admitted
    return kept[: len(admitted)]


def validated(problem: SearchProblem, ids: np.ndarray, train: np.ndarray) -> int:
    """Return the number of personas that pass the published gate on both sides of a split."""
    trial = problem.trial
    cover = problem.literals.conjunction(ids)
    passed = np.ones(len(ids), dtype=bool)
    for side in (train, ~train):
        made = compare(
            cover[:, side], trial.outcome[side], trial.participant[side], trial.has_pairs
        )
        passed &= GATES.passes(made, 1.0)["published"]
    return int(passed.sum())


def noise_block(
    numbers: Range,
    *,
    trial: TrialArrays,
    search: PersonaSearch,
    features: int,
    seed: int,
    relabellings: int,
) -> pd.DataFrame:
    """Return a row per repetition: personas that pass the gate, and the smallest adjusted p."""
    splitter = HoldoutSplit(1, seed=seed, group_by="participant" if trial.has_pairs else "case")
    rows = []
    for index in range(numbers[0], numbers[1] + 1):
        problem = noise_problem(trial, search, features=features, seed=seed, index=index)
        train = splitter.train_mask(index, trial)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(nm.STREAM_FOLD, index)))
        boxes = random_boxes(problem, search.support_floor(len(trial.score)), rng)
        best = search.solve(problem, polarity=nm.FAVOURABLE, train=train)
        p, made = smallest_p(problem, search, seed=index, relabellings=relabellings)
        rows.append(
            {
                "index": index,
                "boxes": validated(problem, boxes, train),
                "best": validated(problem, best.ids, train),
                "p": p,
                "made": made,
            }
        )
    return pd.DataFrame(rows)


def noise_rows(
    bench: Bench,
    trial: TrialArrays,
    search: PersonaSearch,
    *,
    repetitions: int,
    features: int = 360,
    seed: int = 7,
    relabellings: int = 99,
) -> pd.DataFrame:
    """Return the rows of `noise_block` for all repetitions."""
    settings = {"features": features, "seed": seed, "relabellings": relabellings}
    make = partial(noise_block, trial=trial, search=search, **settings)
    options = (settings, search.get_params(), trial.__dask_tokenize__())
    return bench.rows("noise", make, repetitions, *options)


def main(words: Sequence[str]) -> int:
    """Repeat the trial with noise and print a Markdown table."""
    parser = benchmark_parser("noise", __doc__)
    parser.add_argument("--real", type=Path, required=True, help="folder of ds005917")
    parser.add_argument("--design", choices=["pooled", "crossover"], default="pooled")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--features", type=int, default=360)
    parser.add_argument("--literals", type=int, default=3)
    parser.add_argument("--relabellings", type=int, default=99)
    options = parser.parse_args(list(words))
    trial = real_trial(options.real, design=options.design)
    search = PersonaSearch(options.literals, keep=100)
    with open_benchmark(options) as bench:
        table = noise_rows(
            replace(bench, block=2),
            trial,
            search,
            repetitions=options.repetitions,
            features=options.features,
            seed=options.seed,
            relabellings=options.relabellings,
        )
    units = f"{len(trial.score)} {'participants' if trial.has_pairs else 'cases'}"
    print(f"{units}, {options.features} noise features, {len(table)} repetitions\n")
    print(noise_markdown(table))
    return 0


def noise_markdown(table: pd.DataFrame) -> str:
    """Return rates of repetitions with at least one claim, a row per criterion."""
    ways = {
        f"published gate, {BOXES} random personas": (table["boxes"], table["boxes"] > 0),
        "published gate, the 100 best of the search": (table["best"], table["best"] > 0),
        "`supported`: p adjusted for the whole search": (None, table["p"] <= ALPHA),
    }
    rows = []
    for way, (counted, any_of) in ways.items():
        share = float(any_of.mean())
        each = "" if counted is None else f"{counted.mean():.1f}"
        rows.append([way, f"{share:.1%}", f"{error_of(share, len(table)):.1%}", each])
    header = ["criterion", "studies with at least one false claim", "standard error"]
    return markdown([*header, "false personas per study"], rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
