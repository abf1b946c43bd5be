"""Small cohorts for the tests of prediction."""

import numpy as np

from ketadask.predict.classifier_data import build_classifier_data
from ketadask.predict.folds import NestedFolds


def cohort(n=48, p=12, effect=0.0, seed=0, sites=1, covariates=0, missing=0.0, region=None):
    """Return cases with the same shift in every region for responders."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.arange(n) % 2)
    value = 100 + 10 * rng.normal(size=(n, p)) + 10 * effect * label[:, None]
    covariate = rng.normal(size=(n, covariates))
    value[rng.random((n, p)) < missing] = np.nan
    site = np.array([f"s{k}" for k in rng.permutation(np.arange(n) % sites)])
    return build_classifier_data(value, label, site=site, covariate=covariate, region=region)


def small(scheme="pooled", seed=0, **more):
    """Return folds that are fast."""
    counts = {"repeats": 2, "folds": 4, "inner_repeats": 1, "inner_folds": 3} | more
    return NestedFolds(scheme, seed=seed, **counts)
