"""The known rating scales: their items, the range of each, and the spellings of their columns.

A column is recognised by any of the comma-separated spellings in its header (NDA style), from the
most to the least reliable one, because some aliases of the National Data Archive carry the item
number of another edition: ``bdi_017`` stands for item 20.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class RatingScale:
    """One rating scale: items from 1, the largest score of each, the smallest is 0.

    ``spellings`` are names of the scale, ``elements`` the names of the items in the National Data
    Archive, ``totals`` further names of the total.

    Examples
    --------
    >>> RATING_SCALES["bdi"].canonical(["Q10", "bdi10_r03", "crying"], "bdi")
    'bdi_10'
    >>> RATING_SCALES["madrs"].limits("madrs_total")
    (0.0, 60.0)
    """

    name: str
    title: str
    items: tuple[str, ...]
    highest: tuple[int, ...]
    spellings: tuple[str, ...]
    elements: tuple[str, ...] = ()
    totals: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Canonical columns of the items."""
        return [f"{self.name}_{n}" for n in range(1, len(self.items) + 1)]

    def canonical(self, aliases: list[str], stem: str) -> str | None:
        """Return ``<scale>_<n>`` or ``<scale>_total`` for the spellings of a column, or None."""
        lower = [alias.strip().lower() for alias in aliases]
        words = [_normalise(word) for word in lower]
        if any(word in _total_words(self) for word in (*lower, *words)):
            return f"{self.name}_total"
        if element := next((word for word in words if word in self.elements), None):
            return self.columns[self.elements.index(element)]
        stems = {w for s in (*self.spellings, self.name) for w in (s, f"{s}01")}
        bare = (r"(?:q|item)_?0*(\d+)",) if stem.lower() in stems else ()
        names = "|".join(map(re.escape, (self.name, *self.spellings)))
        patterns = (
            rf"(?:{names})_?0*(\d+)_r0\d",
            rf"{re.escape(self.name)}_?(?:item_?|q_?)?0*(\d+)",
            *bare,
            rf"(?:{names})_?(?:item_?|q_?)?0*(\d+)",
        )
        for pattern in patterns:
            for word in words:
                match = re.fullmatch(pattern, word, flags=re.ASCII)
                if match and len(match[1]) <= 3 and 1 <= int(match[1]) <= len(self.items):
                    return f"{self.name}_{int(match[1])}"
        item_of = _item_words(self, bool(bare))
        return next((f"{self.name}_{item_of[w]}" for w in words if w in item_of), None)

    def limits(self, column: str) -> tuple[float, float]:
        """Return the smallest and largest value of a canonical column of this scale."""
        item = column.removeprefix(f"{self.name}_")
        return 0.0, float(sum(self.highest) if item == "total" else self.highest[int(item) - 1])

    def label(self, column: str) -> str:
        """Return the text for a canonical column of this scale."""
        item = column.removeprefix(f"{self.name}_")
        if item == "total":
            return f"{self.title} total"
        return f"{self.title} item {item}: {self.items[int(item) - 1]}"


@cache
def _item_words(scale: RatingScale, alone: bool) -> dict[str, int]:
    """Return the items by their text, with the scale before it or ``alone``."""
    item_of: dict[str, int] = {}
    for n, item in enumerate(scale.items, start=1):
        for spelling in (scale.name, *scale.spellings):
            for middle in ("", f"{n}_", f"item_{n}_", f"item{n}_"):
                item_of[f"{spelling}_{middle}{_normalise(item)}"] = n
        if alone:
            item_of[_normalise(item)] = n
    return item_of


@cache
def _total_words(scale: RatingScale) -> set[str]:
    ends = ("total", "tot", "sum", "score", "total_score", "totalscore")
    names = (scale.name, *scale.spellings)
    return {f"{n}{j}{e}" for n in names for e in ends for j in ("_", "")} | set(scale.totals)


def _normalise(word: str) -> str:
    """Return a spelling with underscores for blanks, dots, dashes and colons."""
    return re.sub(r"[\s.:\-]+", "_", word).strip("_")


def _split(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split(","))


_MADRS = RatingScale(
    "madrs",
    "MADRS",
    _split("""
        apparent sadness, reported sadness, inner tension, reduced sleep, reduced appetite,
        concentration difficulties, lassitude, inability to feel, pessimistic thoughts,
        suicidal thoughts"""),
    (6,) * 10,
    ("madrs",),
    _split("""
        madrsaps, madrssad, madrsten, madrsslp, madrsapp, madrscon, madrslas, madrsfee, madrspes,
        madrssui"""),
    ("madrs", "madrstot", "madrs_tot"),
)

_HAMD = RatingScale(
    "hamd",
    "HAM-D",
    _split("""
        depressed mood, feelings of guilt, suicide, insomnia early, insomnia middle, insomnia late,
        work and activities, retardation, agitation, anxiety psychic, anxiety somatic,
        somatic symptoms gastrointestinal, somatic symptoms general, genital symptoms,
        hypochondriasis, loss of weight, insight"""),
    (4, 4, 4, 2, 2, 2, 4, 4, 4, 4, 4, 2, 2, 2, 4, 3, 2),
    _split("""
        hamd, hamd17, hamd_17, ham17, ham_d, ham_d_17, ham_d17, hamilton_d,
        hdrs, hdrs17, hdrs_17, hrsd, hrsd17, hrsd_17"""),
    # The structure hrsd01: 17 elements, with the names of STAR*D.
    _split("""
        hmdsd, hvwsf, hsuic, hsoin, hmnin, hemin, hintr, hslow, hagit, hpanx, hsanx, happt, hengy,
        hsex, hhypc, hwl, hinsg"""),
    # With a dash it is the edition of the scale, with an underscore its last item.
    _split("""
        hdtot_r, hamd, hamd17, ham17, hdrs, hdrs17, hrsd, hrsd17, ham_d, ham_d17,
        hamd-17, ham-d-17, ham-d17, hdrs-17, hrsd-17"""),
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
    _split("""
        anxious mood, tension, fears, insomnia, intellectual, depressed mood, somatic muscular,
        somatic sensory, cardiovascular, respiratory, gastrointestinal, genitourinary, autonomic,
        behaviour at interview"""),
    (4,) * 14,
    ("hama", "ham_a", "hars", "hamilton_a", "hrsa"),
    (),
    ("hama", "ham_a"),
)

_BDI = RatingScale(
    "bdi",
    "BDI",
    _split("""
        sadness, pessimism, past failure, loss of pleasure, guilty feelings, punishment feelings,
        self-dislike, self-criticalness, suicidal thoughts or wishes, crying, agitation,
        loss of interest, indecisiveness, worthlessness, loss of energy,
        changes in sleeping pattern, irritability, changes in appetite, concentration difficulty,
        tiredness or fatigue, loss of interest in sex"""),
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

RATING_SCALES = {scale.name: scale for scale in (_MADRS, _HAMD, _HAMD6, _HAMA, _BDI, _BAI)}

_SCALE_OF_COLUMN = {
    column: scale
    for scale in RATING_SCALES.values()
    for column in (*scale.columns, f"{scale.name}_total")
}


def canonical_column(header: str, stem: str) -> str | None:
    """Return the canonical name of a column of a known scale, or None.

    Examples
    --------
    >>> canonical_column("HAM17_Total", "phenotype"), canonical_column("HAMD_Bech", "phenotype")
    ('hamd_total', 'hamd6_total')
    >>> canonical_column("Q20, bc17, bdi20_r03, bdi_017, tired", "bdi")
    'bdi_20'
    """
    aliases = [alias for alias in header.split(",") if alias.strip()]
    # The scale of the file's name comes first, so that a bare Q3 is its third item.
    scales = sorted(RATING_SCALES.values(), key=lambda s: not stem.lower().startswith(s.name))
    names = (scale.canonical(aliases, stem) for scale in scales)
    return next((name for name in names if name), None)


def scale_of(column: str) -> str:
    """Return the scale of a canonical column: the text before its last underscore.

    Examples
    --------
    >>> scale_of("bdi_10"), scale_of("pain")
    ('bdi', 'pain')
    """
    return column.rpartition("_")[0] or column


def score_range(column: str) -> tuple[float, float]:
    """Return the range of a canonical column, no limits where its scale is unknown.

    Examples
    --------
    >>> score_range("bdi_10"), score_range("pain")
    ((0.0, 3.0), (-inf, inf))
    """
    scale = _SCALE_OF_COLUMN.get(column)
    return scale.limits(column) if scale else (-math.inf, math.inf)


def score_label(column: str) -> str:
    """Return the text for a canonical column; its name where its scale is unknown.

    Examples
    --------
    >>> score_label("bdi_10")
    'BDI item 10: crying'
    """
    scale = _SCALE_OF_COLUMN.get(column)
    return scale.label(column) if scale else column
