"""Results beside the verdicts: cases the hits explain, and what enrolment by them would buy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ketadask import names as nm
from ketadask.report.canvas import ACTIVE, LINE, SOFT, Drawing, Surface, draw
from ketadask.report.downloads import as_download
from ketadask.report.format import flattened, percent
from ketadask.report.labels import Mask

_MOST_ROWS = 100
_RISK = {"coverage", "accuracy"}
_BESIDE_NULL = {f"{name}{what}" for name in ("accuracy", "auc") for what in ("", "_null", "_p")} | {
    "coverage",
    "explained",
    "relabelled",
    "splits",
    "tau",
}


def explained_view(part: Any, mask: Mask, identifiers: bool) -> dict[str, Any] | None:
    """Return counts of explained cases and the risk-coverage curve.

    A table with a row per participant is counted, and shown only where participants may be named:
    scores of single persons are not for everybody, with or without their identifiers.
    """
    view = _parted(part)
    if view is None:
        return None
    numbers, tables = view
    counts: dict[str, int] = {}
    figure = None
    for name, table in list(tables.items()):
        if "explained" in table and nm.PARTICIPANT in table:
            counts = {str(k): int(n) for k, n in table["explained"].value_counts().items()}
        elif set(table.columns) >= _RISK:
            figure = risk_figure(table)
        if nm.PARTICIPANT in table and not identifiers:
            del tables[name]
    order = [*nm.POLARITIES, *sorted(set(counts) - set(nm.POLARITIES))]
    known = dict(numbers)
    return {
        "told": known if set(known) >= _BESIDE_NULL else None,
        "numbers": numbers,
        "counts": [(k, counts.get(k, 0)) for k in order] if counts else [],
        "total": sum(counts.values()),
        "figure": figure,
        "tables": [_shown(n, t, mask) for n, t in tables.items()],
    }


def enrichment_view(part: Any, mask: Mask) -> dict[str, Any] | None:
    """Return the gain of enrolling by the best train persona, in words where they are known."""
    view = _parted(part)
    if view is None:
        return None
    numbers, tables = view
    known = dict(numbers)
    told = {"gain", "gain_low", "gain_high", "share_enrolled", "benefit", "benefit_enrolled"}
    return {
        "told": known if told <= set(known) else None,
        "numbers": numbers,
        "tables": [_shown(n, t.drop(columns=nm.PARTICIPANT, errors="ignore"), mask)
                   for n, t in tables.items()],
    }  # fmt: skip


def _parted(part: Any) -> tuple[list[tuple[str, Any]], dict[str, pd.DataFrame]] | None:
    """Return the numbers and the tables of a part, or None where it has neither."""
    if part is None or len(part) == 0:
        return None
    given: Mapping[str, Any] = {"table": part} if isinstance(part, pd.DataFrame) else part
    tables = {str(k): v for k, v in given.items() if isinstance(v, pd.DataFrame)}
    numbers = flattened({k: v for k, v in given.items() if k not in tables})
    tables = {k: t for k, t in tables.items() if len(t)}
    return (numbers, tables) if numbers or tables else None


def _shown(name: str, table: pd.DataFrame, mask: Mask) -> dict[str, Any]:
    texts = table.select_dtypes(exclude="number").columns
    told = table.assign(**{c: table[c].map(mask) for c in texts if c != nm.PARTICIPANT})
    return {
        "name": name.replace("_", " "),
        "columns": [(str(c), "text" if c in texts else "number") for c in told.columns],
        "rows": told.head(_MOST_ROWS).to_dict("split")["data"],
        "total": len(told),
        "download": as_download(told, f"{name.replace(' ', '_')}.csv"),
    }


def risk_figure(curve: pd.DataFrame) -> Drawing | None:
    """Draw accuracy against coverage: what is gained by speaking about fewer cases."""
    curve = curve.dropna(subset=["coverage", "accuracy"]).sort_values("coverage", kind="stable")
    if curve.empty:
        return None
    first, last = curve.iloc[0], curve.iloc[-1]
    alt = (
        f"Accuracy {percent(first['accuracy'])} at coverage {percent(first['coverage'])}, "
        f"{percent(last['accuracy'])} at coverage {percent(last['coverage'])}"
    )
    if "null_mean" in curve:
        alt += f"; on relabelled trials {percent(curve['null_mean'].iloc[-1])} at the latter"
    return draw("risk", alt, (300, 280), lambda s: _risk(s, curve))


def _risk(surface: Surface, curve: pd.DataFrame) -> None:
    axes = surface.axes(64, 48, 24, 12)
    axes.axhline(0.5, color=LINE, linewidth=1.2, linestyle=(0, (4, 3)))
    if "null_low" in curve:
        x, low, high = (curve[name] for name in ("coverage", "null_low", "null_high"))
        band = axes.fill_between(x, low, high, color=SOFT, alpha=0.45, linewidth=0)
        surface.tell(band, "the middle 90 % of the same studies on relabelled trials")
        axes.plot(x, curve["null_mean"], color=SOFT, linewidth=1.6)
    axes.plot(curve["coverage"], curve["accuracy"], color=ACTIVE, linewidth=1.6)
    for x, y in zip(curve["coverage"], curve["accuracy"], strict=True):
        (dot,) = axes.plot([x], [y], "o", color=ACTIVE, markersize=5, clip_on=False)
        surface.tell(dot, f"coverage {percent(x)}, accuracy {percent(y)}")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="share of cases explained", ylabel="accuracy")
    ticks = [0, 0.25, 0.5, 0.75, 1]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ticks, ["0", "25", "50", "75", "100 %"])
