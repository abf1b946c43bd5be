"""Forest plots: effects with their intervals, one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask.plot.results import persona_labels, results_of, table_of
from ketadask.plot.style import (
    ACTIVE,
    INK,
    LINE,
    MUTED,
    PAPER,
    annotate,
    axes_or_new,
    caption,
    decimal,
    is_narrow,
    label_rows,
    legend,
    styled,
    wrap_label,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ESTIMATE, HOLLOW, MEAN, PREDICTION = "estimate", "hollow", "mean", "prediction"
XLABEL = "benefit inside minus outside"
_MAX_MARKER, _MIN_MARKER = 11.0, 3.5


@styled
def draw_forest(
    effects: Any, *, ax: Axes | None = None, places: int = 1, xlabel: str = "benefit"
) -> Axes:
    """Draw effects with their 95 % intervals, a row each.

    Parameters
    ----------
    effects
        A table with ``label`` (or ``trial``), ``effect``, ``low`` and ``high``, and optionally
        ``kind``: ``estimate`` (a filled square), ``hollow`` (one that is biased or not confirmed),
        ``mean`` (a diamond) or ``prediction`` (a bar); ``weight``, the size of the square;
        ``n``, a number or text below the label. Or the folder of a run, or what `discover`
        returns: the overall effect, and that inside and outside its first persona.
    ax
        Axes; those of a new figure by default.
    places
        Decimals of the effects.

    Returns
    -------
    The axes.

    Examples
    --------
    >>> import pandas as pd
    >>> import ketadask as kd
    >>> effects = pd.DataFrame({"label": ["overall", "inside", "outside"],
    ...                         "effect": [3.0, 8.0, 0.5], "low": [1, 4, -2], "high": [5, 12, 3]})
    >>> ax = kd.plot.forest(effects)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['overall', 'inside', 'outside']
    """
    rows = _rows(effects)
    ax = axes_or_new(ax, 74 + 27 * len(rows))
    low, high = _limits(rows)
    ax.set(xlim=(low, high), xlabel=xlabel)
    ax.axvline(0, color=LINE, linewidth=1.2, zorder=0)
    largest = rows["weight"].max()
    for y, row in enumerate(rows.to_dict("records")):
        has_interval = np.isfinite(row["low"])
        text = f"{decimal(row['effect'], places)}"
        if row["kind"] == PREDICTION:
            text = f"{decimal(row['low'], places)} to {decimal(row['high'], places)}"
        elif has_interval:
            text += f" ({decimal(row['low'], places)} to {decimal(row['high'], places)})"
        title = "; ".join(filter(None, (f"{row['label']}: {text}", row["n"], row["hint"])))
        if not np.isfinite(row["effect"] if row["kind"] != PREDICTION else row["low"]):
            annotate(ax, row["absent"], (max(low, 0.0), y), (6, 0), color=MUTED)
            continue
        _draw_effect(ax, y, row, title, float(row["weight"] / largest) if largest > 0 else 1.0)
        if not is_narrow(ax):
            annotate(ax, text, (high, y), (12, 0), color=INK, fontsize=12)
    means = rows.loc[(rows["kind"] == MEAN) & np.isfinite(rows["low"]), "effect"]
    for mean in means:
        ax.plot([mean] * 2, [-0.5, len(rows) - 1], color=LINE, linestyle=(0, (2, 3)), zorder=0)
    has_n = not is_narrow(ax) and (rows["n"] != "").any()
    labels = rows["label"] + ("\n" + rows["n"] if has_n else "")
    label_rows(ax, labels.tolist(), 22 if is_narrow(ax) else 44)
    if has_n:
        ax.set_yticks(range(len(rows)), labels.tolist())
    return ax


@styled
def draw_personas(
    verdicts: Any, *, labels: Any = None, top: int = 10, places: int = 1,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the benefit differences of the first personas, as selected and corrected.

    Parameters
    ----------
    verdicts
        The verdict table, the folder of a run, or what `discover` returns.
    labels
        Name of each persona, or the labels of features: a cohort, what `read_phenotype` returns,
        a dictionary. By default those of ``verdicts``; a table has none.
    top
        Number of personas.
    ax
        Axes; those of a new figure by default.
    places
        Decimals of the differences.

    Returns
    -------
    The axes.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import ketadask as kd
    >>> verdicts = pd.DataFrame({"rank": [1, 2], "text": ["age > 50", "sex = f"],
    ...     "features": ["age", "sex"], "difference": [8.0, 5.0], "difference_low": [2.0, np.nan],
    ...     "difference_high": [11.0, np.nan], "difference_shrunken": [7.0, np.nan]})
    >>> ax = kd.plot.personas(verdicts, labels={"age": "age at baseline"})
    >>> len(ax.get_yticks())
    2
    """
    table = table_of(verdicts, "verdicts").sort_values("rank", kind="stable").head(top)
    has_names = isinstance(labels, list)
    names = labels if has_names else persona_labels(table, verdicts if labels is None else labels)
    width = 26 if ax is not None and is_narrow(ax) else 44
    lines = 1 + max((wrap_label(name, width).count("\n") for name in names), default=0)
    ax = axes_or_new(ax, 84 + max(36, 18 * lines) * len(table))
    ax.axvline(0, color=LINE, linewidth=1)
    is_corrected = False
    for y, row in enumerate(table.to_dict("records")):
        points = [(row["difference"], "on these data", PAPER)]
        if np.isfinite(row["difference_low"]):
            ends = [row["difference_low"], row["difference_high"]]
            ax.plot(ends, [y, y], color=ACTIVE, linewidth=1.5, zorder=1)
            points.append((row["difference_shrunken"], "corrected", ACTIVE))
            is_corrected = True
        for value, name, face in points:
            (dot,) = ax.plot(
                [value], [y], "o", markersize=8, markeredgewidth=1.8, zorder=3,
                markerfacecolor=face, markeredgecolor=ACTIVE,
            )  # fmt: skip
            caption(dot, f"persona {row['rank']}, {name}: {decimal(value, places)}")
    entries = [("corrected", "o", ACTIVE, ACTIVE), ("on these data", "o", ACTIVE, PAPER)]
    legend(ax, entries[0 if is_corrected else 1 :])
    label_rows(ax, names, width)
    ax.margins(x=0.06)
    ax.set_xlabel(XLABEL)
    return ax


def _rows(effects: Any) -> pd.DataFrame:
    """Return effects with all columns of a forest plot."""
    if not isinstance(effects, pd.DataFrame):
        effects = pd.DataFrame(results_of(effects).summary["effects"])
    rows: pd.DataFrame = effects.reset_index(drop=True)
    if "label" not in rows:
        rows = rows.assign(label=rows["trial"])
    texts = {"kind": ESTIMATE, "n": "", "hint": "", "absent": "not estimated"}
    defaults: dict[str, Any] = {"weight": 1.0, "effect": np.nan, **texts}
    rows = rows.assign(**{k: v for k, v in defaults.items() if k not in rows})
    rows = rows.fillna({k: v for k, v in texts.items() if k != "n"})
    ends = ["effect", "low", "high", "weight"]
    rows[ends] = rows[ends].astype(float)
    if pd.api.types.is_numeric_dtype(rows["n"]):
        rows["n"] = [f"n = {n:,}" for n in rows["n"]]
    return rows


def _draw_effect(ax: Axes, y: int, row: dict[Any, Any], title: str, weight: float) -> None:
    """Draw one row, with an arrow where its interval extends beyond the axes."""
    ends = np.clip([row["low"], row["high"]], *ax.get_xlim())
    if row["kind"] == MEAN and np.isfinite(row["low"]):
        x = [row["low"], row["effect"], row["high"], row["effect"]]
        (diamond,) = ax.fill(x, [y, y - 0.32, y, y + 0.32], color=INK, zorder=3)
        caption(diamond, title)
        return
    if row["kind"] == PREDICTION:
        (bar,) = ax.plot(ends, [y, y], color=MUTED, linewidth=4, solid_capstyle="butt")
        ax.plot(ends, [y, y], "|", color=MUTED, markersize=11, markeredgewidth=1.8)
        caption(bar, title)
        return
    ax.plot(ends, [y, y], color=INK, linewidth=1.5, zorder=2, solid_capstyle="butt")
    for end, bound, marker in ((ends[0], row["low"], "<"), (ends[1], row["high"], ">")):
        if end != bound and np.isfinite(bound):
            ax.plot([end], [y], marker, color=INK, markersize=5, zorder=2, clip_on=False)
    (square,) = ax.plot(
        [row["effect"]], [y], "s", markeredgewidth=1.8, zorder=3, markeredgecolor=ACTIVE,
        markersize=_MIN_MARKER + (_MAX_MARKER - _MIN_MARKER) * np.sqrt(max(weight, 0.0)),
        markerfacecolor=PAPER if row["kind"] == HOLLOW else ACTIVE,
    )  # fmt: skip
    caption(square, title)


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Return limits that contain effects, means and predictions, and long intervals in part."""
    is_summary = rows["kind"].isin([MEAN, PREDICTION])
    centre = rows["effect"].to_numpy(float)
    if (~is_summary).sum() > 0 and is_summary.any():
        centre = np.concatenate([centre, rows.loc[is_summary, ["low", "high"]].to_numpy().ravel()])
    centre = np.append(centre[np.isfinite(centre)], 0.0)
    ends = rows[["low", "high"]].to_numpy(float).ravel()
    ends = np.append(ends[np.isfinite(ends)], centre)
    span = float(np.ptp(centre)) or 1.0
    low, high = max(ends.min(), centre.min() - span), min(ends.max(), centre.max() + span)
    margin = 0.04 * (high - low)
    return float(low - margin), float(high + margin)
