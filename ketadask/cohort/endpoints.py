"""The outcome of a trial as its settings describe it, and the endpoint of each case.

An endpoint is one number per case of which more is better, whatever the direction of the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from ketadask.kernels.scores import percent_improvement
from ketadask.kernels.settings import option
from ketadask.schema.errors import InputError, nearest
from ketadask.sources.rating_scales import RATING_SCALES, scale_of

if TYPE_CHECKING:
    import pandas as pd

Direction = Literal["lower", "higher"]
Kind = Literal["continuous", "binary"]
EndpointName = Literal["improvement", "response", "percent", "remission", "value", "binary"]
ENDPOINTS = get_args(EndpointName)
BINARY_ENDPOINTS = ("response", "remission", "binary")
OF_BASELINE = ("improvement", "response", "percent")
_FAVOURABLE_WORDS = ("respon", "remission", "remit", "recover", "success", "improve")
_ADVERSE_WORDS = ("death", "died", "dead", "relaps", "recurren", "progression", "failure")


@dataclass(frozen=True)
class Outcome:
    """What is compared between the arms, and which values of it are better.

    Examples
    --------
    >>> Outcome().direction, Outcome(column="change", direction="lower").endpoint
    ('lower', 'value')
    >>> Outcome(column="responder", kind="binary").direction
    'higher'
    """

    scale: str | None = option(
        None, "rating scale whose total is the outcome; default: madrs, unless column is set"
    )
    column: str | None = option(None, "column that holds the outcome, instead of scale")
    day: int | None = option(
        None,
        "days after the infusion; default: 7 for a scale, the only value of a case for a column",
        ge=0,
    )
    window: int = option(0, "largest distance of a visit from that day, in days", ge=0)
    endpoint: EndpointName | None = option(  # noqa: RUF009
        None,
        "improvement on the baseline, response 0/1, percent improvement, remission (below or "
        "above), value or binary as the column has it; default: improvement where there is a "
        "baseline",
    )
    kind: Kind | None = option(None, "kind of a column: continuous, or binary 0/1")  # noqa: RUF009
    direction: Direction | None = option(  # noqa: RUF009
        None, "which values are better, lower or higher; known for the common rating scales"
    )
    baseline: str | None = option(
        None, "column of the baseline; default: the outcome before the infusion"
    )
    below: float | None = option(None, "remission: the outcome is below this value")
    above: float | None = option(None, "remission: the outcome is above this value")
    missing_items: int = option(
        0,
        "most missing items of a visit; each counts as the mean of the participant's other items",
        ge=0,
    )
    response_threshold: float = option(
        0.4, "minimum relative improvement of a responder", gt=0, lt=1
    )

    def __post_init__(self) -> None:
        """Set what follows from the other settings, and raise where they contradict each other."""
        if self.scale is not None and self.column is not None:
            raise InputError("outcome has scale and column", remedy="remove one of them")
        if self.below is not None and self.above is not None:
            raise InputError("remission has below and above", remedy="remove one of them")
        for name, choices in (
            ("endpoint", ENDPOINTS),
            ("kind", get_args(Kind)),
            ("direction", get_args(Direction)),
        ):
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise InputError(f"unknown {name}", value=value, remedy=nearest(value, choices))
        if self.scale is None and self.column is None:
            object.__setattr__(self, "scale", "madrs")
        if self.day is None and self.column is None:
            object.__setattr__(self, "day", 7)
        if self.endpoint is None:
            object.__setattr__(self, "endpoint", self._endpoint())
        if self.direction is None:
            object.__setattr__(self, "direction", self._direction())
        if self.endpoint == "remission" and self.below is self.above is None:
            raise InputError("remission needs a limit", remedy="set outcome.below or outcome.above")

    @property
    def name(self) -> str:
        """Scale or column."""
        return str(self.scale or self.column)

    @property
    def needs_baseline(self) -> bool:
        """Whether a case without baseline has no endpoint."""
        return self.endpoint in OF_BASELINE

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that hold the outcome after the infusion, so that they are no features."""
        return () if self.column is None or self.day is not None else (self.column,)

    @property
    def definition(self) -> str:
        """The endpoint in words."""
        if self.missing_items:
            items = "item" if self.missing_items == 1 else "items"
            complete = replace(self, missing_items=0).definition
            return (
                f"{complete}; up to {self.missing_items} missing {items} of a visit count as the "
                "mean of the others"
            )
        if self.endpoint == "remission":
            side = f"below {self.below:g}" if self.below is not None else f"above {self.above:g}"
            return f"1 where the outcome is {side}, else 0"
        if self.endpoint in ("value", "binary"):
            return f"{self.direction} values are better"
        is_lower = self.direction == "lower"
        points = "baseline minus follow-up" if is_lower else "follow-up minus baseline"
        return {
            "improvement": f"{points}; positive is better",
            "percent": f"{points}, in percent of the baseline",
            "response": f"1 where {points} is at least {self.response_threshold:.0%} of baseline",
        }[str(self.endpoint)]

    def require_direction(self) -> str:
        """Return the direction; raise where it is not known."""
        if self.direction is None:
            raise InputError(
                f"lower or higher values of {self.name} may be better",
                where="outcome.direction",
                remedy="set outcome.direction to lower or higher",
            )
        return self.direction

    def _endpoint(self) -> str:
        if self.below is not None or self.above is not None:
            return "remission"
        if self.kind == "binary":
            return "binary"
        has_baseline = self.column is None or self.baseline is not None or self.day is not None
        return "improvement" if has_baseline else "value"

    def _direction(self) -> str | None:
        if self.below is not None:
            return "lower"
        name = self.name.lower()
        if self.above is not None or any(word in name for word in _FAVOURABLE_WORDS):
            return "higher"
        is_lower = scale_of(name) in RATING_SCALES or any(word in name for word in _ADVERSE_WORDS)
        return "lower" if is_lower else None


def improvement(
    baseline: np.ndarray, followup: np.ndarray, threshold: float, direction: str = "lower"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return improvement, percent improvement and response per case.

    Improvement is baseline minus follow-up, or follow-up minus baseline where higher values are
    better; percent is of the baseline, NaN where that is not above 0; response is 1 where
    improvement is positive and reaches ``threshold`` of the baseline.

    Examples
    --------
    >>> [part.tolist() for part in improvement(np.array([30.0]), np.array([18.0]), 0.4)]
    [[12.0], [40.0], [1.0]]
    """
    points = baseline - followup if direction == "lower" else followup - baseline
    # 0.56 * 25 is 14.000000000000002 in floating point, and 14 of 25 points reach it.
    is_response = (points >= threshold * baseline - 1e-9) & (points > 0)
    return points, percent_improvement(points, baseline), is_response.astype(np.float64)


def case_endpoints(cases: pd.DataFrame, outcome: Outcome) -> Mapping[str, np.ndarray]:
    """Return improvement, percent and response of the cases, and other endpoints as ``endpoint``.

    Parameters
    ----------
    cases
        baseline and followup of each case; a baseline may be missing.
    outcome
        The outcome, with a direction.
    """
    baseline, followup = (cases[name].to_numpy(np.float64) for name in ("baseline", "followup"))
    direction = outcome.require_direction()
    points, percent, response = improvement(
        baseline, followup, outcome.response_threshold, direction
    )
    arrays = {"improvement": points, "percent": percent, "response": response}
    if outcome.endpoint in OF_BASELINE:
        return arrays
    sign = 1.0 if direction == "higher" else -1.0
    if outcome.endpoint == "remission":
        is_below = outcome.below is not None
        limit = outcome.below if is_below else outcome.above
        arrays["endpoint"] = (followup < limit if is_below else followup > limit).astype(float)
        arrays["response"] = arrays["endpoint"]
    elif outcome.endpoint == "binary":
        _check_binary(cases, outcome.name)
        arrays["endpoint"] = followup if sign > 0 else 1.0 - followup
        arrays["response"] = arrays["endpoint"]
    else:
        arrays["endpoint"] = sign * followup
    return arrays


def _check_binary(cases: pd.DataFrame, name: str) -> None:
    wrong = ~cases["followup"].isin((0.0, 1.0))
    if wrong.any():
        raise InputError(
            "a binary outcome is 0 or 1",
            where=f"{name} of {cases.loc[wrong, 'participant'].iloc[0]}",
            value=float(cases.loc[wrong, "followup"].iloc[0]),
            remedy="code it as 0 and 1, or set outcome.kind to continuous",
        )
