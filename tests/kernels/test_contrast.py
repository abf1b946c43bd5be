"""The studentised contrast against scipy, statsmodels, matrices, and the search statistic."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import linalg, stats

from ketadask.kernels.contrast import MODERATION, contrast
from ketadask.kernels.q_statistic import persona_q


def draw(seed=0, n=40, personas=6, clusters=None):
    rng = np.random.default_rng(seed)
    inside = rng.random((personas, n)) < 0.4
    score = rng.normal(size=n) * np.exp(rng.normal(size=n))
    return inside, score, None if clusters is None else rng.integers(0, clusters, n)


def reference(inside, score, cluster, moderation, unknown=None):
    """Difference and standard error of one persona, by matrices."""
    use = np.ones(len(score), bool) if unknown is None else ~unknown
    centred = score - score.mean()
    same = cluster[:, None] == cluster
    products, other = np.outer(centred, centred), same & ~np.eye(len(score), dtype=bool)
    covariance = products[other].mean() if other.any() else 0.0
    prior = covariance * other + np.var(score, ddof=1) * np.eye(len(score))
    X = np.stack([inside[use], ~inside[use]], axis=1).astype(float)
    groups, y = cluster[use], score[use]
    bread = np.linalg.inv(X.T @ X)
    residual, H = y - X @ bread @ X.T @ y, X @ bread @ X.T
    influence = []
    for c in np.unique(groups):
        mine = groups == c
        root = linalg.inv(linalg.sqrtm(np.eye(mine.sum()) - H[np.ix_(mine, mine)]).real)
        influence.append(bread @ X[mine].T @ root @ residual[mine])
    C = sum(np.outer(u, u) for u in influence)
    C0 = bread @ X.T @ prior[np.ix_(use, use)] @ X @ bread
    df = np.array([len(np.unique(groups[X[:, side] == 1])) - 1 for side in (0, 1)])
    own = np.diag(np.sqrt(df / (df + moderation)))
    rest = np.diag(np.sqrt(moderation / (df + moderation)))
    covariance = own @ C @ own + rest @ C0 @ rest
    w = np.array([1.0, -1.0])
    return w @ (bread @ X.T @ y), np.sqrt(w @ covariance @ w)


def test_without_moderation_and_clusters_it_is_welch():
    inside, score, _ = draw()
    result = contrast(inside, score, moderation=0)
    for k, mask in enumerate(inside):
        expected = stats.ttest_ind(score[mask], score[~mask], equal_var=False).statistic
        assert result.t[k] == pytest.approx(expected, rel=1e-12)
        assert result.difference[k] == pytest.approx(score[mask].mean() - score[~mask].mean())
        assert result.outside[k] == (~mask).sum()


def test_without_moderation_and_clusters_it_is_hc2_of_statsmodels():
    inside, score, _ = draw(1)
    fit = sm.OLS(score, sm.add_constant(inside[0].astype(float))).fit(cov_type="HC2")
    assert contrast(inside, score, moderation=0).se[0] == pytest.approx(fit.bse[1])


def test_with_much_moderation_it_is_q():
    inside, score, _ = draw(2)
    q, _ = persona_q(inside, np.ones((1, len(score)), bool), score)
    assert contrast(inside, score, moderation=1e12).t == pytest.approx(q[:, 0], rel=1e-9)
    effect, _ = persona_q(inside, np.ones((1, len(score)), bool), score, "effect")
    result = contrast(inside, score, moderation=1e12, objective="effect")
    assert result.t == pytest.approx(effect[:, 0], rel=1e-9)


def test_the_moderated_variance_is_that_of_the_formula():
    inside, score, _ = draw(3)
    mask, s2 = inside[0], np.var(score, ddof=1)
    expected = 0.0
    for side in (score[mask], score[~mask]):
        df = len(side) - 1
        expected += (df * np.var(side, ddof=1) + MODERATION * s2) / (df + MODERATION) / len(side)
    assert contrast(inside, score).se[0] == pytest.approx(np.sqrt(expected))


@pytest.mark.parametrize("moderation", [0.0, 5.0, 1e9])
@pytest.mark.parametrize("clusters", [9, 25, 500])
def test_clusters_are_as_by_matrices(clusters, moderation):
    inside, score, cluster = draw(4, clusters=clusters)
    result = contrast(inside, score, cluster=cluster, moderation=moderation)
    for k, mask in enumerate(inside):
        difference, se = reference(mask, score, cluster, moderation)
        assert result.difference[k] == pytest.approx(difference)
        assert result.se[k] == pytest.approx(se)


def test_unknown_units_are_left_out():
    inside, score, cluster = draw(5, clusters=15)
    unknown = ~inside & (np.random.default_rng(1).random(inside.shape) < 0.2)
    result = contrast(inside, score, cluster=cluster, outside=~inside & ~unknown)
    for k, mask in enumerate(inside):
        expected = reference(mask, score, cluster, MODERATION, unknown[k])
        assert (result.difference[k], result.se[k]) == pytest.approx(expected)
        assert result.outside[k] == (~mask & ~unknown[k]).sum()


def test_two_units_with_equal_scores_in_a_cluster_count_once():
    """Doubling every unit halves no standard error where the copies are one cluster."""
    inside, score, _ = draw(6)
    twice = contrast(
        np.repeat(inside, 2, axis=1), np.repeat(score, 2), moderation=0,
        cluster=np.repeat(np.arange(40), 2),
    )  # fmt: skip
    assert twice.t == pytest.approx(contrast(inside, score, moderation=0).t)


def test_without_enough_outside_there_is_no_t():
    inside = np.zeros((3, 20), bool)
    inside[0, :12], inside[1, :13], inside[2, :1] = True, True, True
    t = contrast(inside, np.arange(20.0)).t
    assert np.isnan(t).tolist() == [False, True, True]
    assert np.isnan(contrast(inside, np.ones(20)).t).all()
    one_cluster = np.where(inside[0], 0, np.arange(20))
    assert np.isnan(contrast(inside[:1], np.arange(20.0), cluster=one_cluster).t[0])


def test_the_sign_follows_the_scores():
    inside, score, cluster = draw(7, clusters=30)
    one, other = (contrast(inside, s, cluster=cluster) for s in (score, -score))
    assert one.t.tolist() == (-other.t).tolist()
