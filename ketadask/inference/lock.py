"""From a row of the verdicts to a persona that other trials can use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.cohort.locked_adjustment import HeadSizeAdjustment, SiteAdjustment
from ketadask.inference.enrolment import outcome_sigma
from ketadask.inference.null import IDS
from ketadask.inference.second_stage import persona_sides
from ketadask.kernels.resampling import wilson
from ketadask.schema.errors import InputError
from ketadask.search.persona import (
    DiscoveryEffect,
    DiscoveryRun,
    Persona,
    PersonaLiteral,
    PersonaOutcome,
)
from ketadask.sources.rating_scales import scale_of
from ketadask.sources.regions import REGIONS

if TYPE_CHECKING:
    import xarray as xr

    from ketadask.search.problem import SearchProblem

Adjustments = Mapping[str, Mapping[str, HeadSizeAdjustment | SiteAdjustment]]
_BASELINES = {"pooled": "own", "parallel": "first"}
ENDPOINT_UNITS = {"improvement": "points", "percent": "% of baseline", "response": "rate"}


def build_persona(
    verdict: Mapping[str, Any],
    problem: SearchProblem,
    units: xr.Dataset,
    *,
    run: DiscoveryRun,
    baseline: str = "mean",
    arms: Mapping[str, str] | None = None,
    anyway: bool = False,
    adjustments: Adjustments | None = None,
) -> Persona:
    """Return the persona of one row of the verdicts.

    Parameters
    ----------
    verdict
        A row that keeps ``schema.VERDICTS``.
    problem, units
        The problem of the search, and its search matrix.
    run
        Where the persona comes from.
    baseline
        In ``crossover``, the baseline of the search matrix.
    arms
        ``active`` or ``control`` by the name of each arm, where one is known.
    anyway
        Whether to lock a persona that is not supported; the file says so.
    adjustments
        ``head_size`` and ``sites`` by feature, see `fit_adjustments`.
    """
    is_supported = verdict["verdict"] == nm.SUPPORTED
    if not is_supported and not anyway:
        raise InputError(
            "the study does not support this persona",
            where=f"persona {verdict['persona']}",
            value=verdict["verdict"],
            remedy="lock it with --anyway to test it all the same; the file will say so",
        )
    ids = np.array([[verdict[name] for name in IDS]], dtype=np.int64)
    attributes, design = units.attrs, str(units.attrs["design"])
    names = {arm: [name for name, own in (arms or {}).items() if own == arm] for arm in nm.ARMS}
    threshold, day = attributes.get("response_threshold"), attributes.get("day")
    if attributes["endpoint"] != "response":
        threshold = None
    return Persona(
        persona=str(verdict["persona"]),
        polarity=verdict["polarity"],
        literals=tuple(
            _literal(problem, units, int(i), (adjustments or {})) for i in ids[0] if i >= 0
        ),
        outcome=PersonaOutcome(
            scale=str(attributes["outcome"]),
            day=None if day in (None, "") else int(day),
            endpoint=str(attributes["endpoint"]),
            unit=ENDPOINT_UNITS.get(str(attributes["endpoint"]), ""),
            direction=str(attributes.get("direction", "")),
            definition=str(attributes.get("definition", "")),
            response_threshold=None if threshold is None else float(threshold),
        ),
        arms={arm: " or ".join(names[arm]) or arm for arm in nm.ARMS},
        design=design,  # type: ignore[arg-type]
        baseline=_BASELINES.get(design, baseline),  # type: ignore[arg-type]
        discovery=_effect(verdict, problem, ids),
        run=run,
        anyway=not is_supported,
    )


def _literal(
    problem: SearchProblem, units: xr.Dataset, index: int, adjustments: Adjustments
) -> PersonaLiteral:
    literals = problem.literals
    name = literals.feature_names[literals.feature[index]]
    about = units.sel({nm.FEATURE: name})
    value = about["value"].to_numpy().astype(np.float64)
    lowest, highest = rounded_range(value)
    modality, region = str(about["modality"].item()), REGIONS.get(name)
    scale = scale_of(name) if modality == nm.SCALE else ""
    low, high = (float(ends[index]) for ends in (literals.low, literals.high))
    return PersonaLiteral(
        feature=name,
        low=low if np.isfinite(low) else None,
        high=high if np.isfinite(high) else None,
        text=literals.text[index],
        modality=modality,
        kind=about["kind"].item(),
        measurement_unit=str(about["measurement_unit"].item()),
        label=str(about["label"].item()),
        instrument="FreeSurfer" if modality == nm.VOLUME else scale,
        item=name.removeprefix(f"{scale}_") if scale else "",
        atlas=region.atlas if region else "",
        region=region.name if region else "",
        lowest=lowest,
        highest=highest,
        mean=float(np.nanmean(value)),
        sd=float(np.nanstd(value, ddof=1)),
        **adjustments.get(name, {}),  # type: ignore[arg-type]
    )


def _effect(verdict: Mapping[str, Any], problem: SearchProblem, ids: np.ndarray) -> DiscoveryEffect:
    inside, outside = (side[0] for side in persona_sides(problem, ids))
    score, n_inside, n_outside = problem.trial.score, int(inside.sum()), int(outside.sum())
    low, high = wilson(n_inside, n_inside + n_outside)
    squares = sum(((score[side] - score[side].mean()) ** 2).sum() for side in (inside, outside))
    return DiscoveryEffect(
        units=len(score),
        inside=n_inside,
        outside=n_outside,
        unknown=len(score) - n_inside - n_outside,
        prevalence=n_inside / (n_inside + n_outside),
        prevalence_low=float(low),
        prevalence_high=float(high),
        score_sd=float(np.sqrt(squares / (n_inside + n_outside - 2))),
        outcome_sd=outcome_sigma(problem.trial.outcome, crossover=problem.trial.has_pairs),
        verdict=str(verdict["verdict"]),
        benefit_inside=float(verdict["benefit_inside"]),
        benefit_outside=float(verdict["benefit_outside"]),
        difference=float(verdict["difference"]),
        p_adjusted=float(verdict["p_adjusted"]),
        difference_low=_finite(verdict["difference_low"]),
        difference_high=_finite(verdict["difference_high"]),
        difference_shrunken=_finite(verdict["difference_shrunken"]),
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def rounded_range(value: np.ndarray) -> tuple[float, float]:
    """Return lowest and highest value, rounded outwards to about a hundredth of their distance.

    Examples
    --------
    >>> rounded_range(np.array([4533.68, 9871.2])), rounded_range(np.array([0.0, 3.0]))
    ((4500.0, 9900.0), (0.0, 3.0))
    """
    low, high = float(np.nanmin(value)), float(np.nanmax(value))
    if not high > low:
        return low, high
    power = 1 - math.floor(math.log10(high - low))
    factor = 10.0**power
    ends = math.floor(low * factor) / factor, math.ceil(high * factor) / factor
    return min(ends[0], low), max(ends[1], high)
