"""Gates against scipy and statsmodels, and at their edges."""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ketadask.kernels.gates import carry_over, gates, hedges_correction

KEYS = {
    *("n_active", "n_control", "mean_active", "mean_control", "t", "p", "d", "g", "d_z"),
    *("interaction", "interaction_p"),
}


def unpaired(seed=0, units=63, personas=9, per_participant=2):
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, units)
    outcome = np.full((units, 2), np.nan)
    outcome[np.arange(units), arm] = rng.normal(3.0 - arm, 1.0 + arm)
    inside = rng.random((personas, units)) < 0.5
    return inside, outcome, rng.permutation(units) // per_participant


def paired(seed=0, units=31, personas=9):
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 2, (units, 1))
    outcome = common + rng.normal(0, 1, (units, 2)) + [1.5, 0.0]
    return rng.random((personas, units)) < 0.5, outcome, rng.permutation(units)


def rows_of(inside_k, outcome, participant):
    unit, column = np.nonzero(np.isfinite(outcome))
    y = outcome[unit, column]
    return y, 1.0 - column, inside_k[unit].astype(float), participant[unit]


@pytest.mark.parametrize("seed", range(4))
def test_unpaired_gate_is_scipys_welch_test_and_cohens_pooled_d(seed):
    inside, outcome, participant = unpaired(seed)
    made = gates(inside, outcome, participant, paired=False)
    for k, cover in enumerate(inside):
        y1 = outcome[cover, 0][np.isfinite(outcome[cover, 0])]
        y0 = outcome[cover, 1][np.isfinite(outcome[cover, 1])]
        welch = stats.ttest_ind(y1, y0, equal_var=False)
        assert made["t"][k] == pytest.approx(welch.statistic, rel=1e-12)
        assert made["p"][k] == pytest.approx(welch.pvalue, rel=1e-10)
        n1, n0 = len(y1), len(y0)
        sd = np.sqrt(((n1 - 1) * y1.var(ddof=1) + (n0 - 1) * y0.var(ddof=1)) / (n1 + n0 - 2))
        d = (y1.mean() - y0.mean()) / sd
        assert made["d"][k] == pytest.approx(d, rel=1e-12)
        # Hedges' (1981) own approximation of his correction, exact to a few in a thousand.
        assert made["g"][k] == pytest.approx(d * (1 - 3 / (4 * (n1 + n0 - 2) - 1)), rel=2e-3)
        assert (made["n_active"][k], made["n_control"][k]) == (n1, n0)
        assert np.isnan(made["d_z"][k])


@pytest.mark.parametrize("seed", range(4))
def test_paired_gate_is_scipys_paired_test(seed):
    inside, outcome, participant = paired(seed)
    made = gates(inside, outcome, participant, paired=True)
    for k, cover in enumerate(inside):
        y1, y0 = outcome[cover].T
        expected = stats.ttest_rel(y1, y0)
        assert made["t"][k] == pytest.approx(expected.statistic, rel=1e-12)
        assert made["p"][k] == pytest.approx(expected.pvalue, rel=1e-10)
        pooled = np.sqrt((y1.var(ddof=1) + y0.var(ddof=1)) / 2)
        assert made["d"][k] == pytest.approx((y1 - y0).mean() / pooled, rel=1e-12)
        assert made["d_z"][k] == pytest.approx((y1 - y0).mean() / (y1 - y0).std(ddof=1), rel=1e-12)


@pytest.mark.parametrize("kind", [unpaired, paired])
@pytest.mark.parametrize("seed", range(4))
def test_interaction_is_statsmodels_least_squares_clustered_by_participant(kind, seed):
    # statsmodels: OLS.fit(cov_type="cluster", use_t=True), whose default correction is
    # G/(G-1) (N-1)/(N-K) and whose df_correction gives G - 1 degrees of freedom.
    inside, outcome, participant = kind(seed)
    made = gates(inside, outcome, participant, paired=kind is paired)
    for k, cover in enumerate(inside):
        y, active, persona, who = rows_of(cover, outcome, participant)
        X = np.column_stack((np.ones_like(y), persona, active, persona * active))
        fit = sm.OLS(y, X).fit(
            cov_type="cluster",
            cov_kwds={"groups": who, "use_correction": True, "df_correction": True},
            use_t=True,
        )
        assert fit.df_resid_inference == len(np.unique(who)) - 1
        assert made["interaction"][k] == pytest.approx(fit.params[3], rel=1e-9)
        assert made["interaction_p"][k] == pytest.approx(fit.pvalues[3], rel=1e-8)


def test_hedges_correction_makes_d_unbiased():
    # d is a scaled noncentral t, whose mean scipy gives: nc / J(df).
    df = np.array([2.0, 3.0, 4.0, 10.0, 30.5, 400.0])
    assert hedges_correction(df) == pytest.approx(1.0 / stats.nct.mean(df, 1.0), rel=1e-9)
    assert hedges_correction(np.array([0.0, 1.0])).tolist() == [0.0, 0.0]


def test_signs_are_positive_where_active_is_better():
    inside, outcome, participant = paired()
    for has_pairs in (True, False):
        made = gates(inside, outcome, participant, has_pairs)
        swapped = gates(inside, outcome[:, ::-1], participant, has_pairs)
        better = made["mean_active"] > made["mean_control"]
        assert ((made["t"] > 0) == better).all()
        assert ((made["d"] > 0) == better).all()
        for key in ("t", "d", "g", "interaction"):
            assert swapped[key] == pytest.approx(-made[key])
        assert swapped["p"] == pytest.approx(made["p"])


def nothing_is_claimed(made, keys=("t", "d", "g", "interaction")):
    assert (made["p"] == 1.0).all()
    assert (made["interaction_p"] == 1.0).all()
    for key in keys:
        assert (made[key] == 0.0).all(), key


EVERYONE = np.ones((2, 6), dtype=bool)
EDGES = {
    "nobody inside": (np.zeros((2, 6), dtype=bool), [1, 2, 3, 4, 5, 7]),
    "one unit inside": (np.eye(6, dtype=bool)[:2], [1, 2, 3, 4, 5, 7]),
    "no variance": (EVERYONE, [0.1] * 6),
    "no variance, far from zero": (EVERYONE, [1e9 + 0.1] * 6),
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("has_pairs", [False, True])
def test_what_is_undefined_passes_no_gate(edge, has_pairs):
    inside, y = EDGES[edge]
    y = np.array(y, dtype=float)
    outcome = np.column_stack((y, y[::-1]))
    if not has_pairs:
        outcome[::2, 0] = outcome[1::2, 1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = gates(inside, outcome, np.arange(6), has_pairs)
    nothing_is_claimed(made)
    assert set(made) == KEYS


def test_an_arm_without_outcomes_passes_no_gate():
    outcome = np.column_stack((np.arange(6.0), np.full(6, np.nan)))
    inside = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]], dtype=bool)
    made = gates(inside, outcome, np.arange(6), paired=False)
    nothing_is_claimed(made)
    assert np.isnan(made["mean_control"]).all()


def test_equal_differences_up_to_rounding_are_no_evidence():
    control = np.array([0.1, 0.2, 0.3, 0.7, 1.1, 1.3])
    outcome = np.column_stack((control + 0.3, control))
    made = gates(EVERYONE, outcome, np.arange(6), paired=True)
    assert (made["p"] == 1.0).all()
    half = np.array([[1, 1, 1, 0, 0, 0]], dtype=bool)
    assert gates(half, outcome, np.arange(6), paired=True)["interaction_p"][0] == 1.0


def test_everyone_inside_has_a_published_gate_but_no_interaction():
    inside, outcome, participant = unpaired()
    made = gates(np.ones_like(inside), outcome, participant, paired=False)
    assert (made["p"] < 1).all()
    assert (made["interaction_p"] == 1.0).all()


def test_a_single_participant_has_no_clustered_error():
    inside, outcome, _ = unpaired()
    made = gates(inside, outcome, np.zeros(63, dtype=int), paired=False)
    assert (made["interaction_p"] == 1.0).all()


@settings(max_examples=60, deadline=None)
@given(
    y=st.lists(
        st.tuples(
            st.one_of(st.just(np.nan), st.integers(-9, 9).map(float), st.floats(-1e9, 1e9)),
            st.one_of(st.just(np.nan), st.integers(-9, 9).map(float), st.floats(-1e9, 1e9)),
            st.integers(0, 3),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
    ),
    has_pairs=st.booleans(),
)
def test_any_outcomes_give_a_p_without_warning(y, has_pairs):
    table = np.array(y, dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = gates(table[:, 3:].T > 0, table[:, :2], table[:, 2].astype(int), has_pairs)
    for key in ("p", "interaction_p"):
        assert ((made[key] >= 0) & (made[key] <= 1)).all()
    for key in ("t", "d", "g", "interaction"):
        assert np.isfinite(made[key]).all()


def test_personas_do_not_influence_each_other():
    inside, outcome, participant = unpaired(personas=12)
    whole = gates(inside, outcome, participant, paired=False)
    for first in (0, 5, 11):
        part = gates(inside[first : first + 1], outcome, participant, paired=False)
        for key in KEYS:
            assert part[key].tobytes() == whole[key][first : first + 1].tobytes()


@pytest.mark.parametrize("short", ["inside", "participant"])
def test_arrays_of_different_lengths_are_refused(short):
    inside, outcome, participant = unpaired()
    inside = inside[:, :9] if short == "inside" else inside
    participant = participant[:9] if short == "participant" else participant
    with pytest.raises(ValueError, match=r"\(9,\).* do not match"):
        gates(inside, outcome, participant, paired=False)


def test_no_personas_and_no_units():
    for shape in ((0, 5), (3, 0)):
        made = gates(
            np.zeros(shape, dtype=bool), np.ones((shape[1], 2)), np.arange(shape[1]), paired=True
        )
        assert made["p"].tolist() == [1.0] * shape[0]


def test_carry_over_compares_totals_between_sequences():
    _, outcome, _ = paired(units=30)
    first = np.arange(30) % 3 == 0
    total = outcome.sum(axis=1)
    expected = stats.ttest_ind(total[first], total[~first], equal_var=False)
    made = carry_over(outcome, first)
    assert made["t"] == pytest.approx(expected.statistic)
    assert made["p"] == pytest.approx(expected.pvalue)
    assert made["difference"] == pytest.approx(total[first].mean() - total[~first].mean())
    assert carry_over(outcome, np.ones(30, bool)) == {"difference": 0.0, "t": 0.0, "p": 1.0}
