"""The rating scales that are known: their items, the range of each, and how columns are spelt.

A column is recognised by any of the spellings joined by commas in its header (NDA style). The
spellings are tried from the most to the least reliable one, because some aliases of the National
Data Archive carry the item number of another edition: ``bdi_017`` stands for item 20.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class RatingScale:
    """One rating scale: items numbered from 1, the largest score of each, smallest is 0.

    ``named`` holds the item by its element in the structure of the National Data Archive.

    Examples
    --------
    >>> INSTRUMENTS["bdi"].canonical(["Q10", "bdi10_r03", "crying"], "bdi")
    'bdi_10'
    >>> INSTRUMENTS["madrs"].limits("madrs_total")
    (0.0, 60.0)
    """

    name: str
    title: str
    items: tuple[str, ...]
    highest: tuple[int, ...]
    spellings: tuple[str, ...]
    named: tuple[tuple[str, int], ...] = ()
    totals: tuple[str, ...] = ()

    def canonical(self, aliases: list[str], stem: str) -> str | None:
        """Return ``<scale>_<n>`` or ``<scale>_total`` for the spellings of a column, or None."""
        raw = [alias.strip().lower() for alias in aliases]
        words = [_plain(word) for word in raw]
        if any(word in _total_words(self) for word in (*raw, *words)):
            return f"{self.name}_total"
        archive = dict(self.named)
        if known := next((word for word in words if word in archive), None):
            return f"{self.name}_{archive[known]}"
        own = {w for s in (*self.spellings, self.name) for w in (s, f"{s}01")}
        bare = (r"(?:q|item)_?0*(\d+)",) if stem.lower() in own else ()
        joined = "|".join(map(re.escape, (self.name, *self.spellings)))
        patterns = (
            rf"(?:{joined})_?0*(\d+)_r0\d",
            rf"{re.escape(self.name)}_?(?:item_?|q_?)?0*(\d+)",
            *bare,
            rf"(?:{joined})_?(?:item_?|q_?)?0*(\d+)",
        )
        for pattern in patterns:
            for word in words:
                found = re.fullmatch(pattern, word, flags=re.ASCII)
                if found and len(found[1]) <= 3 and 1 <= int(found[1]) <= len(self.items):
                    return f"{self.name}_{int(found[1])}"
        by_name = _item_words(self, bool(bare))
        return next((f"{self.name}_{by_name[w]}" for w in words if w in by_name), None)

    def limits(self, column: str) -> tuple[float, float]:
        """Return the smallest and largest value of a canonical column of this scale."""
        which = column.removeprefix(f"{self.name}_")
        if which == "total":
            return 0.0, float(sum(self.highest))
        return 0.0, float(self.highest[int(which) - 1])

    def label(self, column: str) -> str:
        """Return what a reader sees for a canonical column of this scale."""
        which = column.removeprefix(f"{self.name}_")
        if which == "total":
            return f"{self.title} total"
        return f"{self.title} item {which}: {self.items[int(which) - 1]}"


@cache
def _item_words(known: RatingScale, alone: bool) -> dict[str, int]:
    """Return the items spelt by what they ask, with the scale before it or ``alone``."""
    found: dict[str, int] = {}
    for number, item in enumerate(known.items, start=1):
        for scale in (known.name, *known.spellings):
            for middle in ("", f"{number}_", f"item_{number}_", f"item{number}_"):
                found[f"{scale}_{middle}{_plain(item)}"] = number
        if alone:
            found[_plain(item)] = number
    return found


@cache
def _total_words(known: RatingScale) -> set[str]:
    ends = ("total", "tot", "sum", "score", "total_score", "totalscore")
    spelt = {f"{s}{j}{e}" for s in (known.name, *known.spellings) for e in ends for j in ("_", "")}
    return spelt | set(known.totals)


def _plain(word: str) -> str:
    """Return a spelling with underscores where people write blanks, dots, dashes or colons."""
    return re.sub(r"[\s.:\-]+", "_", word).strip("_")


_MADRS = RatingScale(
    "madrs",
    "MADRS",
    (
        "apparent sadness",
        "reported sadness",
        "inner tension",
        "reduced sleep",
        "reduced appetite",
        "concentration difficulties",
        "lassitude",
        "inability to feel",
        "pessimistic thoughts",
        "suicidal thoughts",
    ),
    (6,) * 10,
    ("madrs",),
    (
        ("madrsaps", 1),
        ("madrssad", 2),
        ("madrsten", 3),
        ("madrsslp", 4),
        ("madrsapp", 5),
        ("madrscon", 6),
        ("madrslas", 7),
        ("madrsfee", 8),
        ("madrspes", 9),
        ("madrssui", 10),
    ),
    ("madrs", "madrstot", "madrs_tot"),
)

_HAMD_ITEMS = (
    "depressed mood",
    "feelings of guilt",
    "suicide",
    "insomnia early",
    "insomnia middle",
    "insomnia late",
    "work and activities",
    "retardation",
    "agitation",
    "anxiety psychic",
    "anxiety somatic",
    "somatic symptoms gastrointestinal",
    "somatic symptoms general",
    "genital symptoms",
    "hypochondriasis",
    "loss of weight",
    "insight",
)

_HAMD = RatingScale(
    "hamd",
    "HAM-D",
    _HAMD_ITEMS,
    (4, 4, 4, 2, 2, 2, 4, 4, 4, 4, 4, 2, 2, 2, 4, 3, 2),
    (
        *("hamd", "hamd17", "hamd_17", "ham17", "ham_d", "ham_d_17", "ham_d17", "hamilton_d"),
        *("hdrs", "hdrs17", "hdrs_17", "hrsd", "hrsd17", "hrsd_17"),
    ),
    # The structure hrsd01: 17 elements, named as in STAR*D.
    (
        ("hmdsd", 1),
        ("hvwsf", 2),
        ("hsuic", 3),
        ("hsoin", 4),
        ("hmnin", 5),
        ("hemin", 6),
        ("hintr", 7),
        ("hslow", 8),
        ("hagit", 9),
        ("hpanx", 10),
        ("hsanx", 11),
        ("happt", 12),
        ("hengy", 13),
        ("hsex", 14),
        ("hhypc", 15),
        ("hwl", 16),
        ("hinsg", 17),
    ),
    (
        "hdtot_r",
        *("hamd", "hamd17", "ham17", "hdrs", "hdrs17", "hrsd", "hrsd17", "ham_d", "ham_d17"),
        # With a dash it is the edition of the scale, with an underscore its last item.
        *("hamd-17", "ham-d-17", "ham-d17", "hdrs-17", "hrsd-17"),
    ),
)

BECH = (1, 2, 7, 8, 10, 13)  # the items of the HAM-D that make up the HAM-D6

_HAMD6 = RatingScale(
    "hamd6",
    "HAM-D6",
    ("depressed mood", "guilt", "work", "retardation", "anxiety psychic", "somatic general"),
    (4, 4, 4, 4, 4, 2),
    ("hamd6", "hamd_6", "ham_d6", "ham_d_6", "ham6", "hdrs6", "hdrs_6", "hamd_bech", "bech"),
    (),
    ("hamd6", "ham6", "hdrs6", "hamd_bech", "bech6", "hamd-6", "ham-d-6", "ham-d6", "hdrs-6"),
)

_HAMA = RatingScale(
    "hama",
    "HAM-A",
    (
        "anxious mood",
        "tension",
        "fears",
        "insomnia",
        "intellectual",
        "depressed mood",
        "somatic muscular",
        "somatic sensory",
        "cardiovascular",
        "respiratory",
        "gastrointestinal",
        "genitourinary",
        "autonomic",
        "behaviour at interview",
    ),
    (4,) * 14,
    ("hama", "ham_a", "hars", "hamilton_a", "hrsa"),
    (),
    ("hama", "ham_a"),
)

_BDI = RatingScale(
    "bdi",
    "BDI",
    (
        "sadness",
        "pessimism",
        "past failure",
        "loss of pleasure",
        "guilty feelings",
        "punishment feelings",
        "self-dislike",
        "self-criticalness",
        "suicidal thoughts or wishes",
        "crying",
        "agitation",
        "loss of interest",
        "indecisiveness",
        "worthlessness",
        "loss of energy",
        "changes in sleeping pattern",
        "irritability",
        "changes in appetite",
        "concentration difficulty",
        "tiredness or fatigue",
        "loss of interest in sex",
    ),
    (3,) * 21,
    ("bdi", "bdi2", "bdi_2", "bdi_ii", "bdiii", "beck"),
    (),
    ("bdi", "bdi_ii", "bdiii", "bdi-2"),
)

_BAI = RatingScale(
    "bai",
    "BAI",
    tuple(f"symptom {n}" for n in range(1, 22)),
    (3,) * 21,
    ("bai",),
    (),
    ("bai",),
)

INSTRUMENTS = {known.name: known for known in (_MADRS, _HAMD, _HAMD6, _HAMA, _BDI, _BAI)}

_COLUMNS = {
    f"{known.name}_{which}": known
    for known in INSTRUMENTS.values()
    for which in (*range(1, len(known.items) + 1), "total")
}


def canonical(header: str, stem: str) -> str | None:
    """Return the canonical name of a column of a known scale, or None.

    Examples
    --------
    >>> canonical("HAM17_Total", "phenotype"), canonical("HAMD_Bech", "phenotype")
    ('hamd_total', 'hamd6_total')
    >>> canonical("Q20, bc17, bdi20_r03, bdi_017, tired", "bdi")
    'bdi_20'
    """
    aliases = [alias for alias in header.split(",") if alias.strip()]
    # The scale the file is named after comes first, so that a bare Q3 is its third item.
    ordered = sorted(
        INSTRUMENTS.values(), key=lambda known: not stem.lower().startswith(known.name)
    )
    for known in ordered:
        found = known.canonical(aliases, stem)
        if found:
            return found
    return None


def scale_of(column: str) -> str:
    """Return the scale a canonical column belongs to: what stands before its last underscore.

    Examples
    --------
    >>> scale_of("bdi_10"), scale_of("pain")
    ('bdi', 'pain')
    """
    return column.rpartition("_")[0] or column


def limits(column: str) -> tuple[float, float]:
    """Return the range a canonical column may have, no limits where its scale is not known.

    Examples
    --------
    >>> limits("bdi_10"), limits("pain")
    ((0.0, 3.0), (-inf, inf))
    """
    known = _COLUMNS.get(column)
    return known.limits(column) if known else (-math.inf, math.inf)


def label(column: str) -> str:
    """Return what a reader sees for a column; its name where its scale is not known.

    Examples
    --------
    >>> label("bdi_10")
    'BDI item 10: crying'
    """
    known = _COLUMNS.get(column)
    return known.label(column) if known else column
