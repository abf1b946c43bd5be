"""Words for endpoint, design and units, and the mask of participant identifiers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ketadask import names as nm

DESIGN_MEANINGS = {
    "": "",
    "pooled": "all cases of both periods pooled, as in the published analysis",
    "crossover": "participants with both arms, each compared with themselves",
    "parallel": "participants compared between arms",
}
NULL_MEANINGS = {
    "features": "features are exchanged between participants",
    "arms": "arms are randomised again, assuming the same effect for all participants",
    "no-effect": "arms are randomised again, assuming no effect",
    "both": "features are exchanged between participants and, in other trials, arms are randomised "
    "again; the larger p counts",
}
POLARITY_WORDS = {nm.FAVOURABLE: "benefits more", nm.UNFAVOURABLE: "benefits less"}
EFFECT_WORDS = {nm.FAVOURABLE: "benefits", nm.UNFAVOURABLE: "is harmed"}
_UNIT_SYMBOLS = {"mm3": "mm³", "mm2": "mm²", "kg/m2": "kg/m²", "cm3": "cm³"}
_ENDPOINT_UNITS = {
    "improvement": "points",
    "percent": "% of baseline",
    "response": "difference in response rate",
    "remission": "difference in remission rate",
    "binary": "difference in proportion",
    "value": "units of the outcome",
    "area": "points",
    "slope": "points per day",
    "mixed-model": "points",
    "survival": "units of time",
    "rate": "events per time at risk",
}
_RATES = ("response", "remission", "binary", "slope", "rate")


@dataclass(frozen=True)
class Endpoint:
    """The endpoint of a study: its name, the rating scale and the day."""

    name: str
    scale: str
    day: str
    definition: str = ""

    @property
    def unit(self) -> str:
        """Unit of a mean benefit."""
        return _ENDPOINT_UNITS.get(self.name, self.name)

    @property
    def places(self) -> int:
        """Decimals of its means."""
        return 2 if self.name in _RATES else 1

    @property
    def title(self) -> str:
        """The endpoint with a capital letter."""
        return str(self)[:1].upper() + str(self)[1:]

    def __str__(self) -> str:
        scale = f" in {self.scale}" if self.scale else ""
        day = f" at day {self.day}" if self.day else ""
        if self.name in ("value", "binary", "survival", "rate") and self.scale:
            return f"{self.scale}{day}"
        return f"{self.name}{scale}{day}"


def format_scale(scale: str) -> str:
    """Return the name of a rating scale as it is printed.

    Examples
    --------
    >>> format_scale("madrs"), format_scale("depression")
    ('MADRS', 'depression')
    """
    return scale.upper() if scale.islower() and len(scale) <= 6 else scale


def format_measurement_unit(unit: str) -> str:
    """Return a unit of measurement as it is printed."""
    return _UNIT_SYMBOLS.get(unit, unit)


def shorten(text: str, limit: int) -> str:
    """Return ``text``, its middle replaced by … where it is longer than ``limit`` characters.

    Examples
    --------
    >>> shorten("wm-lh-posteriorcingulate", 15)
    'wm-lh-p…ngulate'
    """
    if len(text) <= limit:
        return text
    head = limit // 2
    return f"{text[:head]}…{text[len(text) - (limit - head - 1) :]}"


class Mask:
    """Replaces participant identifiers in free text, in any spelling.

    Bare numbers of fewer than four digits are not replaced, because they may be counts.

    Examples
    --------
    >>> Mask(["sub-KX07"])("read sub-KX07_ses-1_meg.ds and KX07.tsv")
    'read [participant]_ses-1_meg.ds and [participant].tsv'
    """

    WORD = "[participant]"

    def __init__(self, identifiers: Iterable[str]) -> None:
        forms = {s for i in identifiers if i for s in (i, i.removeprefix("sub-"), f"sub-{i}")}
        self._identifiers = {s for s in forms if re.search(r"[^\W\d]", s) or len(s) >= 4}
        self._longest = max((len(_tokens(s)) for s in self._identifiers), default=0)

    def __call__(self, text: Any) -> str:
        tokens, output, start = _tokens(str(text)), [], 0
        while start < len(tokens):
            ends = range(min(start + self._longest, len(tokens)), start, -1)
            end = next((e for e in ends if "".join(tokens[start:e]) in self._identifiers), None)
            output.append(tokens[start] if end is None else self.WORD)
            start = end or start + 1
        return "".join(output)


def _tokens(text: str) -> list[str]:
    """Return words and separators; an underscore is a separator."""
    return re.split(r"(\W|_)", text)
