"""The overall effect of a trial in words, and the warning where the control arm does better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.cohort.case_arrays import codes
from ketadask.cohort.designs import TrialArrays, cluster_codes, starts_active
from ketadask.kernels.overall import effect_interval
from ketadask.report.labels import Endpoint, format_scale

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

INSIDE, OUTSIDE = "inside", "outside"
SELECTED, CORRECTED = "difference, selected on these data", "difference, corrected for the search"


@dataclass(frozen=True)
class OverallFacts:
    """Difference of the arms over all participants, with its 95 % interval; positive is better.

    ``outcome`` is its name, ``direction`` which of its values count as better.
    """

    n_active: int
    n_control: int
    mean_active: float
    mean_control: float
    difference: float
    low: float
    high: float
    endpoint: str
    outcome: str
    direction: str

    @property
    def line(self) -> str:
        """Means and numbers per arm, and the difference."""
        endpoint = Endpoint(self.endpoint, format_scale(self.outcome), "")
        a, c, d, low, high = (
            f"{x:z.{endpoint.places}f}"
            for x in (self.mean_active, self.mean_control, self.difference, self.low, self.high)
        )
        return (
            f"active {a} (n = {self.n_active:,}), control {c} (n = {self.n_control:,}), "
            f"difference {d} (95 % CI {low} to {high}; {endpoint.unit}, positive is better)"
        )

    @property
    def warning(self) -> str:
        """What a reader must know first where the control arm does better; else empty."""
        other = "higher" if self.direction == "lower" else "lower"
        remedy = (
            f"{self.direction} values of {format_scale(self.outcome)} count as better; "
            f"if {other} ones are, set outcome.direction: {other}"
        )
        if self.high < 0:
            return f"the control arm does better than the active arm; {remedy}"
        is_change = self.endpoint in ("improvement", "percent")
        if is_change and max(self.mean_active, self.mean_control) < 0:
            return f"participants of both arms get worse; {remedy}"
        if self.difference < 0:
            return "the control arm does slightly better; the 95 % interval includes 0"
        return ""


def overall_facts(units: xr.Dataset) -> OverallFacts:
    """Return the overall effect in a search matrix, before adjustment for features."""
    outcome = units["outcome"].to_numpy().astype(np.float64)
    trial = TrialArrays(
        str(units.attrs["design"]),
        outcome,
        codes(units[nm.PARTICIPANT].to_numpy().astype(str)),
        units["stratum"].to_numpy(),
        units["split_stratum"].to_numpy(),
        units["period"].to_numpy(),
        starts_active(units["sequence"].to_numpy()),
        codes(units["trial"].to_numpy().astype(str)),
        score=units["score"].to_numpy(),
        site=codes(units["site"].to_numpy().astype(str)),
        cluster=cluster_codes(units),
    )
    count = np.isfinite(outcome).sum(axis=0)
    mean = np.nansum(printed_outcome(units), axis=0) / np.maximum(count, 1)
    endpoint, direction = str(units.attrs["endpoint"]), str(units.attrs.get("direction", "lower"))
    estimate, low, high = trial.overall_effect()
    return OverallFacts(
        n_active=int(count[0]),
        n_control=int(count[1]),
        mean_active=float(mean[0]),
        mean_control=float(mean[1]),
        difference=estimate,
        low=low,
        high=high,
        endpoint=endpoint,
        outcome=str(units.attrs.get("outcome", "")),
        direction=direction,
    )


def printed_outcome(units: xr.Dataset) -> np.ndarray:
    """Return (unit, arm) the endpoint as its column has it: where lower is better, it is turned."""
    outcome = units["outcome"].to_numpy().astype(np.float64)
    endpoint, direction = str(units.attrs["endpoint"]), str(units.attrs.get("direction", "lower"))
    if direction == "lower" and endpoint in ("value", "binary", "rate"):
        return float(endpoint == "binary") - outcome
    return outcome


def effect_rows(
    units: xr.Dataset,
    overall: OverallFacts,
    inside: np.ndarray | None = None,
    persona: Mapping[str, float] | None = None,
) -> list[dict[str, str | float | None]]:
    """Return the rows of the first forest plot: overall, inside and outside a persona, difference.

    Parameters
    ----------
    units
        The search matrix.
    overall
        The overall effect in it.
    inside
        (unit,) 1 inside, 0 outside, NaN unknown.
    persona
        Row of the verdicts.

    Returns
    -------
    ``label``, ``effect``, ``low``, ``high``, ``n`` (per arm) and ``kind`` of each row. Effects
    inside and outside are mean scores with 95 % intervals that allow for clusters; these data chose
    the persona, which biases them and the difference.
    """
    n = f"{overall.n_active:,} active, {overall.n_control:,} control"
    rows = [_row("overall", (overall.difference, overall.low, overall.high), n)]
    if inside is None or persona is None:
        return rows
    has_outcome = np.isfinite(units["outcome"].to_numpy().astype(float))
    score, cluster = units["score"].to_numpy().astype(float), cluster_codes(units)
    for label, side in ((INSIDE, 1.0), (OUTSIDE, 0.0)):
        mask = (inside == side) & np.isfinite(score)
        if mask.sum() >= 2:
            interval = effect_interval(
                score[mask],
                np.zeros(int(mask.sum()), dtype=np.int64),
                codes(cluster[mask].astype(str)),
                lambda y: float(np.mean(y)),
            )
            active, control = (int(count) for count in has_outcome[mask].sum(axis=0))
            rows.append(_row(label, interval, f"{active:,} active, {control:,} control"))
    rows.append(_row(SELECTED, (persona["difference"], np.nan, np.nan), kind="hollow"))
    if np.isfinite(persona["difference_low"]):
        ends = (persona["difference_low"], persona["difference_high"])
        rows.append(_row(CORRECTED, (persona["difference_shrunken"], *ends)))
    return rows


def _row(
    label: str, interval: tuple[float, float, float], n: str = "", kind: str = "estimate"
) -> dict[str, str | float | None]:
    effect, low, high = (float(x) if np.isfinite(x) else None for x in interval)
    return {"label": label, "effect": effect, "low": low, "high": high, "n": n, "kind": kind}
