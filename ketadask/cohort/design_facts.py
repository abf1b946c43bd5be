"""What the scores of a study rest on: adjustment, sites, clusters, strata, duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.cohort.case_arrays import codes
from ketadask.cohort.relabel import unexchangeable_mask
from ketadask.kernels.ridge import cell_means

if TYPE_CHECKING:
    import xarray as xr

    from ketadask.cohort.designs import TrialArrays

LARGE_ETA2 = 0.25
"""Share of a feature's variance between sites from which the feature differs between them."""


@dataclass(frozen=True)
class ScoreFacts:
    """Facts about the scores of a study.

    Parameters
    ----------
    adjust
        ``ridge`` or ``none``.
    penalty, r2
        Penalty of the regression on all features, infinite where it uses none, and R2 in
        participants left out.
    n_sites, n_small_sites, n_levels
        Sites of all trials, how many of them share a level with others because they are small, and
        levels.
    n_clusters, n_people_in_clusters
        Clusters of more than one participant, and their participants.
    n_strata, n_alone
        Strata of the relabelling, and units that are alone in theirs.
    n_features, n_features_by_site
        Features, and those of which site levels explain more than a quarter of the variance within
        trials (eta squared without its bias).
    n_imputations
        Missing values that were imputed.
    duplicates
        Names of participants with identical features, who are not of one cluster.
    """

    adjust: str
    penalty: float
    r2: float
    n_sites: int
    n_small_sites: int
    n_levels: int
    n_clusters: int
    n_people_in_clusters: int
    n_strata: int
    n_alone: int
    n_features: int
    n_features_by_site: int
    n_imputations: int
    duplicates: tuple[tuple[str, ...], ...] = ()

    @property
    def warning(self) -> str:
        """Warning of participants with identical features, or ''."""
        if not self.duplicates:
            return ""
        words = "; ".join(", ".join(names) for names in self.duplicates[:3])
        more = len(self.duplicates) - 3
        return (
            f"Warning: participants have identical features: {words}"
            + (f" and {more:,} more groups" if more > 0 else "")
            + "; if they are one person, or relatives, name their cluster in a column of the "
            "participants and set design.cluster"
        )


def score_facts(units: xr.Dataset, trial: TrialArrays, method: str = "features") -> ScoreFacts:
    """Return the facts of a search matrix and its trial; ``method`` is that of the relabelling."""
    level, site = trial.levels(), codes(trial.trial, trial.site)
    pairs = np.unique(np.column_stack((level, site)), axis=0)
    sites_of_level = np.bincount(pairs[:, 0])
    people = np.unique(np.column_stack((codes(trial.cluster), codes(trial.participant))), axis=0)
    size = np.bincount(people[:, 0])
    adjustment = trial.adjustment()
    value = units["value"].transpose(nm.UNIT, nm.FEATURE).values
    return ScoreFacts(
        adjust="none" if trial.basis is None else "ridge",
        penalty=adjustment.penalty,
        r2=adjustment.r2,
        n_sites=len(pairs),
        n_small_sites=int(sites_of_level[sites_of_level > 1].sum()),
        n_levels=int(level.max(initial=-1)) + 1,
        n_clusters=int((size > 1).sum()),
        n_people_in_clusters=int(size[size > 1].sum()),
        n_strata=len(np.unique(trial.stratum)),
        n_alone=int(unexchangeable_mask(trial, method).sum()),
        n_features=value.shape[1],
        n_features_by_site=int((site_eta2(value, level, trial.trial) > LARGE_ETA2).sum()),
        n_imputations=int(units.attrs.get("imputed", 0)),
        duplicates=duplicate_participants(
            value, units[nm.PARTICIPANT].values.astype(str), trial.cluster
        ),
    )


def site_eta2(value: np.ndarray, level: np.ndarray, trial: np.ndarray) -> np.ndarray:
    """Return (feature,) the share of variance within trials that is between site levels.

    The share expected by chance is removed (Kelley's epsilon squared); missing values are left
    out, and a feature without variance has 0.

    Examples
    --------
    >>> value = np.array([[1.0, 1.0], [2.0, 5.0], [9.0, 2.0], [10.0, 4.0]])
    >>> site_eta2(value, np.array([0, 0, 1, 1]), np.zeros(4, dtype=int)).round(2)
    array([ 0.98, -0.5 ])
    """
    eta2 = np.zeros(value.shape[1])
    for feature in range(value.shape[1]):
        has_value = np.isfinite(value[:, feature])
        own_level, own_trial = codes(level[has_value]), codes(trial[has_value])
        total_df = has_value.sum() - own_trial.max(initial=-1) - 1
        within_df = has_value.sum() - own_level.max(initial=-1) - 1
        if within_df < 1:
            continue
        y = value[has_value, feature]
        total = np.square(y - cell_means(y, own_trial)).sum() / total_df
        within = np.square(y - cell_means(y, own_level)).sum() / within_df
        eta2[feature] = 1.0 - within / total if total > 1e-12 * (1.0 + np.square(y).mean()) else 0.0
    return eta2


def duplicate_participants(
    value: np.ndarray, participant: np.ndarray, cluster: np.ndarray
) -> tuple[tuple[str, ...], ...]:
    """Return participants of several clusters with identical rows of features.

    Rows of fewer than three known values do not count: they are identical by chance.

    Examples
    --------
    >>> value = np.array([[1.0, 2.0, 3.5], [1.0, 2.0, 3.0], [1.0, 2.0, 3.5]])
    >>> duplicate_participants(value, np.array(["a", "b", "c"]), np.arange(3))
    (('a', 'c'),)
    """
    members: dict[bytes, list[int]] = {}
    for unit in np.flatnonzero(np.isfinite(value).sum(axis=1) >= 3).tolist():
        row = np.where(np.isnan(value[unit]), np.nan, value[unit] + 0.0)
        members.setdefault(row.tobytes(), []).append(unit)
    groups = {
        tuple(sorted({str(participant[unit]) for unit in units}))
        for units in members.values()
        if len({int(cluster[unit]) for unit in units}) > 1
    }
    return tuple(sorted(groups))
