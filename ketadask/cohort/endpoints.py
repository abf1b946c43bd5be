"""The outcome of a trial as its settings describe it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from ketadask.kernels.settings import option
from ketadask.schema.errors import InputError, nearest
from ketadask.sources.rating_scales import RATING_SCALES, scale_of

Direction = Literal["lower", "higher"]
Kind = Literal["continuous", "binary"]
EndpointName = Literal[
    "improvement",
    "response",
    "percent",
    "remission",
    "value",
    "binary",
    "area",
    "slope",
    "mixed-model",
    "survival",
    "rate",
]
ENDPOINTS = get_args(EndpointName)
BINARY_ENDPOINTS = ("response", "remission", "binary")
OF_BASELINE = ("improvement", "response", "percent")
AREA, SLOPE, MIXED_MODEL, SURVIVAL, RATE = "area", "slope", "mixed-model", "survival", "rate"
COURSES = (AREA, SLOPE, MIXED_MODEL)
LAST_DAY = 10**6
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
        "above), value or binary as the column has it; of all visits: area (mean improvement up to "
        "the day), slope per day, mixed-model (improvement at the day, unstructured covariance); "
        "survival (restricted mean) or rate; default: from the other settings",
    )
    kind: Kind | None = option(None, "kind of a column: continuous, or binary 0/1")  # noqa: RUF009
    level: str | None = option(
        None,
        "value of a text column that counts as 1, the others as 0; default: of two words the one "
        "for yes, else the last in the alphabet",
    )
    direction: Direction | None = option(  # noqa: RUF009
        None, "which values are better, lower or higher; known for the common rating scales"
    )
    baseline: str | None = option(
        None, "column of the baseline; default: the outcome before the infusion"
    )
    below: float | None = option(None, "remission: the outcome is below this value")
    above: float | None = option(None, "remission: the outcome is above this value")
    event: str | None = option(
        None, "survival: column with 0 censored, 1 event, 2 competing event; column is the time"
    )
    horizon: float | None = option(
        None, "survival: end of the time that counts; default: the shorter follow-up of the arms"
    )
    exposure: str | None = option(
        None, "rate: column with the time at risk; column is the number of events"
    )
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
        self._check_columns()
        if self.endpoint == "remission" and self.below is self.above is None:
            raise InputError("remission needs a limit", remedy="set outcome.below or outcome.above")

    @property
    def name(self) -> str:
        """Scale or column."""
        return str(self.scale or self.column)

    @property
    def needs_baseline(self) -> bool:
        """Whether a case without baseline has no endpoint."""
        return self.endpoint in (*OF_BASELINE, *COURSES)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that hold the outcome after the infusion, so that they are no features."""
        columns = self.column, self.event, self.exposure
        return () if self.day is not None else tuple(name for name in columns if name)

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
        if self.endpoint == SURVIVAL:
            end = "" if self.horizon is None else f" {self.horizon:g}"
            side = "without" if self.direction == "higher" else "after"
            return f"mean time {side} the event {self.event} up to the horizon{end}"
        if self.endpoint == RATE:
            return f"events per {self.exposure}; {self.direction} values are better"
        is_lower = self.direction == "lower"
        points = "baseline minus follow-up" if is_lower else "follow-up minus baseline"
        return {
            "improvement": f"{points}; positive is better",
            AREA: f"{points}, mean over the days up to {self.day}",
            SLOPE: f"least-squares slope per day up to day {self.day}, {self.direction} is better",
            MIXED_MODEL: f"{points} at day {self.day}, from a mixed model of all visits",
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

    def _check_columns(self) -> None:
        """Raise where an endpoint lacks a column or the day."""
        if self.level is not None and self.endpoint != "binary":
            remedy = "set outcome.column, and kind to binary; or remove outcome.level"
            raise InputError(f"{self.endpoint} has no level", remedy=remedy)
        for endpoint, key in ((SURVIVAL, "event"), (RATE, "exposure")):
            is_set = getattr(self, key) is not None
            if self.endpoint == endpoint and not (is_set and self.column):
                remedy = f"set outcome.column and outcome.{key}"
                raise InputError(f"{endpoint} needs two columns", remedy=remedy)
            if is_set and self.endpoint != endpoint:
                remedy = f"remove outcome.{key}, or outcome.endpoint"
                raise InputError(f"{self.endpoint} has no {key}", remedy=remedy)
        if self.endpoint in COURSES and self.day is None:
            raise InputError(f"{self.endpoint} needs a day", remedy="set outcome.day")

    def _endpoint(self) -> str:
        if self.event is not None:
            return SURVIVAL
        if self.exposure is not None:
            return RATE
        if self.below is not None or self.above is not None:
            return "remission"
        if self.kind == "binary" or (self.level is not None and self.column is not None):
            return "binary"
        has_baseline = self.column is None or self.baseline is not None or self.day is not None
        return "improvement" if has_baseline else "value"

    def _direction(self) -> str | None:
        if self.below is not None:
            return "lower"
        if self.event is not None:  # later is better than earlier, unless the event is favourable
            of_event = _known_direction(self.event)
            return {"lower": "higher", "higher": "lower"}.get(str(of_event))
        if self.level is not None and _known_direction(self.level):
            return _known_direction(self.level)
        return "higher" if self.above is not None else _known_direction(self.name)


def _known_direction(name: str) -> str | None:
    """Return which values of a column are better as far as its name tells."""
    name = name.lower()
    if any(word in name for word in _FAVOURABLE_WORDS):
        return "higher"
    is_lower = scale_of(name) in RATING_SCALES or any(word in name for word in _ADVERSE_WORDS)
    return "lower" if is_lower else None
