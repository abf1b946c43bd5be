"""The kinds of trial without any persona in the benchmark of validity."""

from __future__ import annotations

from ketadask.cohort.designs import CROSSOVER, PARALLEL, POOLED
from tests.benchmarks.simulated_trials import TrialKind

_CHANGE = {"baseline": 0.78, "designs": (PARALLEL,)}
_THIRDS = (1.0, 1.0, 1.0)

NULL_KINDS = (
    TrialKind("normal"),
    TrialKind("t with 3 degrees of freedom", noise="t3"),
    TrialKind("lognormal", noise="lognormal"),
    TrialKind("SD x 3 on active", active_spread=3.0),
    TrialKind("overall effect of 2 SD", overall=2.0),
    TrialKind("3:1 allocation", designs=(PARALLEL,), allocation=0.75),
    TrialKind("binary features, 22 %", rare=True),
    TrialKind("correlated features, .5", correlation=0.5),
    TrialKind("drop-out 20 %, with feature and arm", drop_out=0.2),
    TrialKind("missing values 15 %, with the value", missing=0.15),
    TrialKind("binary endpoint", binary=True),
    TrialKind(
        "binary endpoint, prognosis, no effect", overall=0.0, binary=True, prognosis=1.0,
        n_prognostic=3,
    ),
    TrialKind("prognosis in 12 of 20 features", prognosis=1.5),
    TrialKind("prognosis in 2 features", prognosis=1.5, n_prognostic=2),
    TrialKind("curved prognosis", prognosis=1.0, curved=True),
    TrialKind("change score, baseline items", **_CHANGE),
    TrialKind("change score, baseline items, 3:1", **_CHANGE, allocation=0.75),
    TrialKind("change score, baseline items, within arm", **_CHANGE, within_arm=True),
    TrialKind("change score, 3:1, within arm", **_CHANGE, allocation=0.75, within_arm=True),
    # With an effect on the latent scale, the difference of the rates would depend on the baseline.
    TrialKind("change score, response, no effect", **_CHANGE, overall=0.0, binary=True),
    TrialKind(
        "own baseline", designs=(POOLED, CROSSOVER), baseline=0.78, own_baseline=True,
        first_baseline=True,
    ),
    TrialKind(
        "own baseline, carry-over .6", designs=(POOLED, CROSSOVER), baseline=0.78,
        own_baseline=True, carry_over=0.6, first_baseline=True,
    ),
    TrialKind(
        "own baseline, carry-over 1", designs=(POOLED, CROSSOVER), baseline=0.78,
        own_baseline=True, carry_over=1.0, first_baseline=True,
    ),
    TrialKind(
        "3 sites, benefit and features differ", sites=_THIRDS, site_benefit=0.75,
        site_features=1.5,
    ),
    TrialKind(
        "7 sites of 4 to 40 %, benefit and features differ",
        sites=(0.4, 0.2, 0.14, 0.1, 0.08, 0.04, 0.04), site_benefit=0.3, site_features=0.5,
    ),
    TrialKind(
        "site x arm imbalance", designs=(PARALLEL,), sites=_THIRDS, site_benefit=0.75,
        site_features=1.5, allocation=(0.3, 0.5, 0.7),
    ),
    TrialKind(
        "2 trials that differ", sites=(0.5, 0.5), site_benefit=1.0, site_features=1.0,
        trials=True,
    ),
    TrialKind("outcome spread exp(.7 x)", designs=(PARALLEL, POOLED), spread=0.7),
    TrialKind("outcome spread exp(.7 x), 3:1", designs=(PARALLEL,), spread=0.7, allocation=0.75),
    TrialKind("benefit spread grows with severity", designs=(CROSSOVER,), benefit_spread=0.7),
    TrialKind("time to event, 30 % censored", designs=(PARALLEL,), measure="survival"),
    TrialKind(
        "time to event, competing events, prognosis, no effect", designs=(PARALLEL,), overall=0.0,
        prognosis=0.7, n_prognostic=3, measure="competing",
    ),
    TrialKind("counts per time at risk", designs=(PARALLEL,), overall=-0.5, measure="rate"),
    TrialKind("4 visits, 25 % missed, mixed model", designs=(PARALLEL,), measure="visits"),
    TrialKind("pairs of people with equal features, arms, outcomes", pairs=True),
)  # fmt: skip
