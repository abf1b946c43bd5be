"""Cohorts of the published sizes with a planted effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketadask import names as nm
from ketadask.predict.classifier_data import COVARIATES, ClassifierData, build_classifier_data
from ketadask.simulate.volumes import draw_volumes, regions
from ketadask.sources.regions import ETIV, GLOBALS, ORDER

SIZES = (99, 51, 49)


@dataclass(frozen=True, eq=False)
class PlantedCohorts:
    """Cohorts for training, for external validation, and without an effect (saline)."""

    discovery: ClassifierData
    external: ClassifierData
    saline: ClassifierData
    truth: tuple[str, ...]


def planted_cohorts(
    seed: int,
    *,
    sizes: tuple[int, int, int] = SIZES,
    effect: float = 0.38,
    n_regions: int = 20,
    sites: int = 3,
    scanner: float = 0.25,
    share: float = 0.45,
) -> PlantedCohorts:
    """Draw cohorts whose responders to ketamine have larger volumes in some regions.

    Parameters
    ----------
    sizes
        Cases of discovery, external and saline cohort. In the saline cohort, improvement is
        unrelated to the volumes.
    effect
        Difference of responders in these regions, in standard deviations.
    sites, scanner
        Sites of the discovery cohort, and the standard deviation of scanner effects per region.
        The external cohort comes from another site.

    Examples
    --------
    >>> cohorts = planted_cohorts(1)
    >>> len(cohorts.discovery), len(cohorts.external), len(cohorts.saline)
    (99, 51, 49)
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(nm.STREAM_SIMULATION, 9)))
    model = regions()
    cortical = [j for j, name in enumerate(model.name) if name not in GLOBALS]
    chosen = np.sort(rng.choice(cortical, size=n_regions, replace=False))
    sign = rng.choice([-1.0, 1.0], size=n_regions)
    names = [f"s{k + 1}" for k in range(sites)]
    scanners = {name: scanner * rng.normal(size=len(model.name)) for name in (*names, "external")}
    made = []
    for number, size in enumerate(sizes):
        kind = (rng.permutation(size) < round(share * size)).astype(np.int64)
        site = rng.choice(names, size) if number != 1 else np.full(size, "external")
        shift = np.stack([scanners[name] for name in site])
        shift[:, chosen] += effect * sign * (kind[:, None] - share)
        label = kind if number < 2 else rng.permutation(kind)
        made.append(_cohort(rng, label, site, shift, f"c{number + 1}"))
    return PlantedCohorts(*made, truth=tuple(model.name[j] for j in chosen))


def _cohort(
    rng: np.random.Generator, label: np.ndarray, site: np.ndarray, shift: np.ndarray, name: str
) -> ClassifierData:
    male = rng.random(len(label)) < 0.4
    volume = draw_volumes(rng, male, shift)
    table = {region: volume[:, j] for j, region in enumerate(regions().name)}
    table |= {"age": rng.uniform(20, 65, len(label)).round(), "sex": 1.0 - male}
    kept = [region for region in ORDER if region != ETIV]
    return build_classifier_data(
        np.column_stack([table[region] for region in kept]),
        label,
        region=kept,
        participant=[f"{name}-{k:03d}" for k in range(len(label))],
        site=site,
        covariate=np.column_stack([table[c] for c in COVARIATES]),
        covariate_names=COVARIATES,
    )
