"""Confirmation: the p is that of the randomisation, and the conclusion follows from it."""

from __future__ import annotations

import numpy as np
import pytest

from ketadask.cohort.designs import TrialArrays
from ketadask.cohort.relabel import relabel
from ketadask.inference.confirmation import conclusion, confirm_personas, holm
from ketadask.kernels.contrast import contrast
from ketadask.schema.errors import InputError
from tests.search.test_persona import persona

N, RELABELLINGS = 60, 199


def trial(design, rng, *, extra=0.0, benefit=2.0, n=N):
    """Return a trial whose members benefit by ``extra`` more, and the members."""
    first, site = rng.permutation(n) % 2 == 0, np.arange(n) // (n // 2)
    inside = (np.arange(n) % 5 < 2) & ((site == 0) | (np.arange(n) % 2 == 0))
    outcome = 6 * rng.normal(size=(n, 2)) + 4 * rng.normal(size=(n, 1))
    # The second site has fewer members and twice the benefit.
    outcome[:, 0] += benefit * (1 + site) + extra * inside
    same = np.zeros(n, dtype=np.int64)
    period = np.where(first, 1, 2)
    if design == "parallel":
        outcome, period = np.where(first[:, None] == [True, False], outcome, np.nan), same + 1
    arrays = TrialArrays(design, outcome, np.arange(n), same, same, period, first, same, site=site)
    return arrays, np.where(inside, "inside", "outside").astype(object)


def changed(value, **effect):
    """Return a persona with another effect at discovery."""
    return value.model_copy(update={"discovery": value.discovery.model_copy(update=effect)})


@pytest.mark.parametrize("design", ["parallel", "crossover"])
def test_p_is_that_of_the_randomisation(design):
    arrays, member = trial(design, np.random.default_rng(3), extra=3.0)
    member[:6] = "unknown"
    row = confirm_personas(arrays, [persona()], [member], relabellings=RELABELLINGS, seed=5).iloc[0]
    inside, outside = (member == "inside")[None], (member == "outside")[None]

    def t(other):
        return contrast(inside, other.score, outside=outside).t[0]

    def t_inside(other):
        return contrast(inside, other.score, objective="effect").t[0]

    others = [relabel(arrays, seed=5, index=i, method="arms")[1] for i in range(RELABELLINGS)]
    null = [relabel(arrays, seed=5, index=i, method="no-effect")[1] for i in range(RELABELLINGS)]
    reaching = sum(t(other) >= t(arrays) - 1e-9 for other in others)
    assert row["p"] == (reaching + 1) / (RELABELLINGS + 1)
    reaching = sum(t_inside(other) >= t_inside(arrays) - 1e-9 for other in null)
    assert row["p_inside"] == (reaching + 1) / (RELABELLINGS + 1)
    scores = arrays.score
    means = scores[member == "inside"].mean(), scores[member == "outside"].mean()
    assert row["benefit_inside"] == pytest.approx(means[0])
    assert row["difference"] == pytest.approx(means[0] - means[1])
    assert row["unknown"] == 6
    for name in ("difference", "benefit_inside", "benefit_outside"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]


@pytest.mark.parametrize("design", ["parallel", "crossover"])
def test_a_large_effect_is_confirmed_and_its_opposite_is_not(design):
    arrays, member = trial(design, np.random.default_rng(1), extra=14.0)
    opposite = changed(
        persona(polarity="unfavourable", persona="P1"), difference=-7.0, difference_shrunken=-5.5
    )
    table = confirm_personas(
        arrays, [persona(), opposite], [member, member], relabellings=RELABELLINGS
    )
    assert table["conclusion"].tolist() == ["confirmed", "not confirmed"]
    assert table["p_adjusted"].tolist() == holm(table["p"].to_numpy()).tolist()
    assert table["p"][1] > 0.9
    assert conclusion(table) == "Of 2 personas: 1 confirmed, 1 not confirmed, 0 too small to say."
    assert conclusion(table.head(1)).startswith("Confirmed: p = 0.0")


def test_without_effect_the_power_decides_what_can_be_said():
    arrays, member = trial("crossover", np.random.default_rng(2), benefit=0.0)
    large, small = (
        changed(persona(), difference_shrunken=effect, difference=effect) for effect in (12.0, 0.3)
    )
    rows = [
        confirm_personas(arrays, [one], [member], relabellings=RELABELLINGS).iloc[0]
        for one in (large, small)
    ]
    assert rows[0]["power"] > 0.9
    assert rows[1]["power"] < 0.15
    assert [row["conclusion"] for row in rows] == ["not confirmed", "too small to say"]
    nothing_left = changed(persona(), difference_shrunken=0.0, difference=9.0)
    row = confirm_personas(arrays, [nothing_left], [member], relabellings=RELABELLINGS).iloc[0]
    assert row["target"] == 9.0


def test_too_few_members_are_too_few_to_say():
    arrays, member = trial("parallel", np.random.default_rng(2))
    member[member == "inside"] = "unknown"
    member[0] = "inside"
    table = confirm_personas(arrays, [persona()], [member], relabellings=RELABELLINGS)
    assert table["conclusion"][0] == "too small to say"
    assert table["p"][0] == 1.0
    assert conclusion(table) == "Too small to say: p = 1, power not estimable."
    with pytest.raises(InputError, match=r"cannot give a p of 0\.025"):
        confirm_personas(arrays, [persona()], [member], relabellings=9)
    with pytest.raises(InputError, match=r"cannot give a p of 0\.0125"):  # Holm's first step
        confirm_personas(arrays, [persona()] * 2, [member] * 2, relabellings=39)
    with pytest.raises(InputError, match=r"alpha: not a level, found 1\.5"):
        confirm_personas(arrays, [persona()], [member], alpha=1.5)


def test_holm_agrees_with_statsmodels():
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(0).random(9) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
