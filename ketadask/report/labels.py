"""What was measured, said in words: endpoint, design, measures, and names kept private."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ketadask import names as nm
from ketadask.report.format import lookup
from ketadask.report.report_data import ReportData

DESIGNS = {
    "pooled": "all cases of both periods taken together, as published",
    "crossover": "participants seen on both arms, each compared with themselves",
    "parallel": "participants compared between arms",
}
_MEASURES = {"mm3": "mm³", "mm2": "mm²", "kg/m2": "kg/m²", "cm3": "cm³"}
_UNITS_OF_ENDPOINT = {
    "improvement": "points",
    "percent": "% of baseline",
    "response": "difference in response rate",
}


@dataclass(frozen=True)
class Endpoint:
    """The endpoint in words: its name, its scale, the day, and what one unit of it is."""

    name: str
    scale: str
    day: str
    per: str

    @property
    def places(self) -> int:
        """How many decimals its means are printed with."""
        return 2 if self.name == "response" else 1

    @property
    def title(self) -> str:
        """The endpoint at the beginning of a line."""
        return str(self)[:1].upper() + str(self)[1:]

    def __str__(self) -> str:
        at = f" at day {self.day}" if self.day else ""
        scale = f" in {self.scale}" if self.scale else ""
        return f"{self.name}{scale}{at}"


def endpoint(findings: ReportData) -> Endpoint:
    """Return the endpoint as the units, the cohort or the settings name it."""
    settings = findings.settings
    cohort = {} if findings.cohort is None else findings.cohort.attrs
    units = {} if findings.units is None else findings.units.attrs
    name = str(units.get("endpoint") or lookup(settings, "outcome.endpoint", "improvement"))
    scale = str(cohort.get("outcome") or lookup(settings, "outcome.scale", ""))
    day = cohort.get("day", lookup(settings, "outcome.day", ""))
    spelt = scale.upper() if scale.islower() and len(scale) <= 6 else scale
    return Endpoint(name, spelt, str(day), _UNITS_OF_ENDPOINT.get(name, name))


def design(findings: ReportData) -> str:
    """Return the kind of design, or '' where nothing says it."""
    if findings.units is not None:
        return str(findings.units.attrs.get("design", ""))
    return str(lookup(findings.settings, "design.kind", ""))


def unit_word(findings: ReportData, count: int) -> str:
    """Return what one unit of the search is: a case, or a participant."""
    one = "case" if design(findings) == "pooled" else "participant"
    return one if count == 1 else f"{one}s"


def format_unit(unit: str) -> str:
    """Return a unit of measurement as it is printed."""
    return _MEASURES.get(unit, unit)


def simulated(findings: ReportData) -> bool:
    """Whether the study was made by the simulator."""
    return lookup(findings.settings, "data.simulate") is not None


def shortened(text: str, most: int) -> str:
    """Return ``text``, its middle replaced by … where it is longer than ``most`` characters.

    Examples
    --------
    >>> shortened("wm-lh-posteriorcingulate", 15)
    'wm-lh-p…ngulate'
    """
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - head - 1) :]}"


class Mask:
    """Replaces participant identifiers in free text, whatever characters they are spelt with.

    Bare numbers of fewer than four digits are left alone: they cannot be told from counts.

    Examples
    --------
    >>> Mask(["sub-KX07"])("read sub-KX07_ses-1_meg.ds and KX07.tsv")
    'read [participant]_ses-1_meg.ds and [participant].tsv'
    """

    WORD = "[participant]"

    def __init__(self, identifiers: Iterable[str]) -> None:
        spelt = {s for i in identifiers if i for s in (i, i.removeprefix("sub-"), f"sub-{i}")}
        self._known = {s for s in spelt if re.search(r"[^\W\d]", s) or len(s) >= 4}
        self._most = max((len(_pieces(s)) for s in self._known), default=0)

    def __call__(self, text: Any) -> str:
        pieces, told, at = _pieces(str(text)), [], 0
        while at < len(pieces):
            ends = range(min(at + self._most, len(pieces)), at, -1)
            end = next((e for e in ends if "".join(pieces[at:e]) in self._known), None)
            told.append(pieces[at] if end is None else self.WORD)
            at = end or at + 1
        return "".join(told)


def _pieces(text: str) -> list[str]:
    """Return words and what stands between them; an underscore stands between words."""
    return re.split(r"(\W|_)", text)


def mask_for(findings: ReportData, identifiers: bool) -> Mask:
    """Return the mask for a report that shows identifiers, or does not."""
    return Mask(()) if identifiers else Mask(findings.participants())


POLARITY_WORDS = {nm.FAVOURABLE: "benefits more", nm.UNFAVOURABLE: "benefits less"}
