"""Programmes of two trials: discover, lock if supported, confirm in a fresh trial.

``python -m tests.benchmarks.programmes`` simulates crossover trials of 60 people with 20 features.
The planted effect, which may be none, and the size of the fresh trial differ from programme to
programme. A supported persona is locked and planned: power at its true difference in the fresh
trial, assurance from what the discovery trial knows, and the power at the difference that was not
corrected for the search. The share confirmed must agree with the first two. Beside them, the best
persona of trials without any, locked anyway: 5 % are confirmed. Finished programmes are stored and
used again; ``--programmes`` may grow.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask.cohort.designs import CROSSOVER
from ketadask.inference.confirmation import ALPHA, confirm_personas
from ketadask.inference.lock import build_persona
from ketadask.inference.next_trial import STRATIFIED, design_power
from ketadask.inference.null import null_block
from ketadask.inference.trial_assumptions import (
    EffectDraws,
    TrialAssumptions,
    persona_effect,
)
from ketadask.inference.verdicts import build_verdicts
from ketadask.kernels.resampling import wilson
from ketadask.schema.errors import InputError
from ketadask.search.persona import INSIDE, OUTSIDE, DiscoveryRun, Persona
from tests.benchmarks.error_rates import persona_search, problem_of
from tests.benchmarks.interval_coverage import unit_benefits
from tests.benchmarks.repeated import Bench, benchmark_parser, error_of, markdown, open_benchmark
from tests.benchmarks.simulated_trials import TrialKind, simulate_cases

if TYPE_CHECKING:
    from ketadask.store.ranges import Range

SIZE = (60, 20)
EFFECTS = (0.0, 0.8, 1.0, 1.2, 1.6, 2.0)
"""Planted benefits, in standard deviations of the outcome in an arm, each in a sixth."""
FRESH_PARTICIPANTS = (40, 60)
FRESH = 1_000_000
"""Distance of the index of a fresh trial from that of its discovery trial."""
EDGES = (0.0, 0.5, 0.8, 0.95, 1.0)
RUN = DiscoveryRun(name="programme", fingerprint="simulated", inputs="simulated", ketadask="0")
DRAWS = 400


def trial_kind(effect: float) -> TrialKind:
    """Return the kind of trial with a persona of two literals, or none."""
    literals = 2 if effect else 0
    return TrialKind(f"programme {effect:g}", (CROSSOVER,), literals=literals, effect=effect)


def discoveries_block(block: Range, *, seed: int, relabellings: int, anyway: bool) -> pd.DataFrame:
    """Return a row per discovery trial, with the locked persona as JSON, or none."""
    rows = []
    for index in range(block[0], block[1] + 1):
        effect = 0.0 if anyway else EFFECTS[index % len(EFFECTS)]
        persona = discover(effect, seed=seed, index=index, relabellings=relabellings, anyway=anyway)
        text = None if persona is None else persona.model_dump_json()
        rows.append({"index": index, "effect": effect, "persona": text})
    return pd.DataFrame(rows)


def confirmations_block(
    block: Range, *, locked: pd.DataFrame, seed: int, permutations: int
) -> pd.DataFrame:
    """Return sizes, true difference and p of the fresh trials of rows of ``locked``."""
    rows = []
    for position in range(block[0], block[1] + 1):
        index, effect, text = locked.iloc[position][["index", "effect", "persona"]]
        persona = Persona.model_validate_json(text)
        rows.append(
            {"position": position}
            | confirm_persona(persona, effect, seed=seed, index=index, permutations=permutations)
        )
    return pd.DataFrame(rows)


def discover(
    effect: float, *, seed: int, index: int, relabellings: int, anyway: bool
) -> Persona | None:
    """Return the locked persona of a discovery trial; None if it supports none."""
    kind, search = trial_kind(effect), persona_search(2)
    cases = simulate_cases(kind, CROSSOVER, *SIZE, seed=seed, index=index)
    problem, units = problem_of(cases, kind, search)
    results = {polarity: search.solve(problem, polarity=polarity) for polarity in search.polarities}
    nulls = null_block(problem, search, (0, relabellings - 1), seed=index)
    verdicts = build_verdicts(problem, search, results, nulls)
    try:
        return build_persona(verdicts.iloc[0].to_dict(), problem, units, run=RUN, anyway=anyway)
    except InputError:
        return None


def confirm_persona(
    persona: Persona, effect: float, *, seed: int, index: int, permutations: int
) -> dict[str, float]:
    """Return sizes, true difference and p of a fresh trial; all in the persona's direction."""
    kind, search = trial_kind(effect), persona_search(2)
    size = FRESH_PARTICIPANTS[index // len(EFFECTS) % len(FRESH_PARTICIPANTS)]
    cases = simulate_cases(kind, CROSSOVER, size, SIZE[1], seed=seed, index=FRESH + index)
    problem, units = problem_of(cases, kind, search)
    member = persona.members(units["value"].to_pandas())["member"].to_numpy()
    inside, outside = member == INSIDE, member == OUTSIDE
    confirmation = confirm_personas(
        problem.trial, [persona], [member], relabellings=permutations, seed=seed + index
    )
    benefit = unit_benefits(cases, units)
    return {
        "inside": int(inside.sum()), "outside": int(outside.sum()),
        "truth": persona.sign * (benefit[inside].mean() - benefit[outside].mean()),
        "p": float(confirmation["p"][0]),
    }  # fmt: skip


def predictions(row: Any, *, alpha: float = ALPHA) -> dict[str, float]:
    """Return the probabilities of a confirmation: at the truth, of the plan, and uncorrected."""
    persona = Persona.model_validate_json(row.persona)
    effect, one = persona_effect(persona), np.ones(1)
    n = int(row.inside + row.outside)
    true = EffectDraws(row.truth * one, 0 * one, row.inside / n * one)
    flat = EffectDraws.of(
        persona.sign * persona.discovery.difference * one, 0 * one, effect.prevalence * one, 0.0
    )
    draws = {"power": true, "assurance": effect.draws(DRAWS, seed=int(row.index)), "naive": flat}
    assumed = TrialAssumptions(alpha=alpha)
    return {
        name: float(design_power(STRATIFIED, n, draw, effect, assumed).mean())
        for name, draw in draws.items()
    }


PREDICTIONS = {
    "power": "power at the true difference",
    "assurance": "assurance of the plan",
    "naive": "power at the uncorrected difference",
}


def calibration_table(locked: pd.DataFrame, *, alpha: float = ALPHA) -> pd.DataFrame:
    """Return, for each prediction and its bins, the mean prediction and the share confirmed.

    ``p`` is that of a share as far from the prediction, if each programme is confirmed with the
    predicted probability.
    """
    rates = pd.DataFrame([predictions(row, alpha=alpha) for row in locked.itertuples()])
    confirmed = locked["p"] <= alpha
    table = []
    for name, words in PREDICTIONS.items():
        bins = pd.cut(rates[name], EDGES, include_lowest=True)
        parts = {"all": locked.index} | {
            str(label): part for label, part in rates.groupby(bins, observed=True).groups.items()
        }
        for label, part in parts.items():
            rate = rates.loc[part, name]
            low, high = wilson(int(confirmed[part].sum()), len(part))
            table.append(
                {
                    "prediction": words, "bin": label, "programmes": len(part),
                    "predicted": float(rate.mean()), "confirmed": float(confirmed[part].mean()),
                    "low": float(low), "high": float(high),
                    "p": count_p(int(confirmed[part].sum()), rate.to_numpy()),
                }
            )  # fmt: skip
    return pd.DataFrame(table)


def count_p(count: int, rate: np.ndarray) -> float:
    """Return the two-sided p of a count of independent events with these probabilities.

    Examples
    --------
    >>> count_p(9, np.full(10, 0.5))
    0.021484375
    """
    distribution = np.ones(1)
    for one in rate:
        distribution = np.convolve(distribution, [1 - one, one])
    tails = distribution[: count + 1].sum(), distribution[count:].sum()
    return min(1.0, 2 * float(min(tails)))


def calibration_markdown(table: pd.DataFrame) -> str:
    """Return the table as Markdown."""
    header = ["prediction", "predicted between", "locked", "mean prediction", "confirmed"]
    header += ["95 % interval", "p"]
    rows = [
        [
            row["prediction"], row["bin"], row["programmes"], f"{row['predicted']:.2f}",
            f"{row['confirmed']:.2f}", f"{row['low']:.2f} to {row['high']:.2f}", f"{row['p']:.2f}",
        ]
        for row in table.to_dict("records")
    ]  # fmt: skip
    return markdown(header, rows)


def simulate_programmes(
    bench: Bench, count: int, *, anyway: bool = False, seed: int = 7,
    relabellings: int = 59, permutations: int = 399,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Return all programmes, and the locked ones with their confirmation.

    ``anyway`` locks the best persona of null trials.
    """
    settings = {"seed": seed, "relabellings": relabellings, "anyway": anyway}
    rows = bench.rows("discoveries", partial(discoveries_block, **settings), count, settings)
    locked = rows[rows["persona"].notna()].reset_index(drop=True)
    simulate = partial(confirmations_block, locked=locked, seed=seed, permutations=permutations)
    key = (settings, count, permutations)
    fresh = bench.rows("confirmations", simulate, len(locked), *key, index="position")
    return rows, locked.join(fresh.set_index("position"))


def main(words: Sequence[str]) -> int:
    """Simulate the programmes and print the calibration as Markdown."""
    parser = benchmark_parser("programmes", __doc__)
    parser.add_argument("--programmes", type=int, default=300)
    options = parser.parse_args(list(words))
    with open_benchmark(options) as bench:
        rows, locked = simulate_programmes(bench, options.programmes, seed=options.seed)
        _, nulls = simulate_programmes(
            bench, options.programmes, anyway=True, seed=options.seed, relabellings=19,
            permutations=79,
        )  # fmt: skip
    by_effect = rows.groupby("effect")["persona"].agg(["size", "count"])
    effects = [[f"{e:g}", size, locked] for e, (size, locked) in by_effect.iterrows()]
    print(markdown(["planted benefit (SD)", "programmes", "locked"], effects), end="\n\n")
    print(calibration_markdown(calibration_table(locked)), end="\n\n")
    for alpha in (ALPHA, 2 * ALPHA):
        confirmed, error = (nulls["p"] <= alpha).mean(), error_of(alpha, len(nulls))
        print(f"Locked from noise anyway: {confirmed:.3f} of {len(nulls)} confirmed at one-sided "
              f"{alpha:g} (Monte-Carlo error {error:.3f})")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
