"""What a search finds beside chance: relabelled trials, stability, overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.plot.results import feature_labels, results_of, table_of
from ketadask.plot.style import (
    ACTIVE,
    DASHED,
    INK,
    LINE,
    MARKERS,
    MUTED,
    PAPER,
    SOFT,
    annotate,
    axes_or_new,
    caption,
    decimal,
    is_narrow,
    label_rows,
    legend,
    percent,
    set_percent_ticks,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_FEATURES = 20
ANY_POLARITY = "selected"
_MARKERS = {**MARKERS, ANY_POLARITY: ("o", ACTIVE)}


@styled
def draw_null(
    null: Any, verdicts: Any = None, *, statistic: str = "t", critical: float | None = None,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the largest statistic of each relabelled trial, and the best persona of each polarity.

    Parameters
    ----------
    null
        What `null` returns, its table, the folder of a run, or what `discover` returns.
    verdicts
        The verdict table; that of the run where ``null`` is one.
    statistic
        ``t`` or ``q``.
    critical
        Critical value, a dashed line.
    ax
        Axes; those of a new figure by default.

    Returns
    -------
    The axes.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import ketadask as kd
    >>> t = np.random.default_rng(7).gumbel(2.8, 0.3, 199)
    >>> null = pd.DataFrame({"relabelling": range(199), "t": t})
    >>> verdicts = pd.DataFrame({"polarity": ["favourable"], "t": [5.2], "p_single_step": [0.01]})
    >>> ax = kd.plot.null(null, verdicts, critical=4.1)
    >>> [text.get_text() for text in ax.texts]
    ['favourable 5.20', 'critical 4.10']
    """
    if verdicts is None and not isinstance(null, pd.DataFrame):
        results = results_of(null)
        verdicts = getattr(results, "verdicts", None)
        critical = critical or dict(getattr(results, "summary", {})).get("critical_value")
    values = largest_statistics(null, statistic)
    best = {} if verdicts is None else best_statistics(table_of(verdicts, "verdicts"), statistic)
    ax = axes_or_new(ax, 280)
    lines = [(p, value, MARKERS[p][1], "-") for p, value in best.items()]
    if critical is not None:
        lines.append(("critical", critical, INK, DASHED))
    ends = np.append(values, [q for _, q, _, _ in lines])
    low, high = ends.min(), ends.max()
    margin = 0.04 * (high - low or 1.0)
    bins = int(np.clip(2 * np.sqrt(values.size), 8, 24 if is_narrow(ax) else 40))
    edges = np.linspace(values.min(), max(values.max(), values.min() + 1e-6), bins + 1)
    counts, _ = np.histogram(values, edges)
    bars = ax.bar(edges[:-1], counts, np.diff(edges), align="edge", color=SOFT, edgecolor=PAPER)
    for bar, count, left, right in zip(bars, counts, edges, edges[1:], strict=False):
        caption(
            bar, f"{count} relabelled trials between {decimal(left, 2)} and {decimal(right, 2)}"
        )
    top = (1.1 + 0.2 * len(lines)) * max(counts.max(), 1)
    ax.set(xlim=(low - margin, high + margin), ylim=(0, top))
    ax.set(xlabel=f"largest {statistic} in a relabelled trial", ylabel="trials")
    ax.locator_params(axis="y", nbins=3, integer=True)
    height = 0.98 * top
    for name, q, colour, style in lines:
        ax.plot([q, q], [0, height], color=colour, linestyle=style, linewidth=2)
        side = "right" if q > (low + high) / 2 else "left"
        offset = (-6 if side == "right" else 6, 0)
        text, xy = f"{name} {decimal(q, 2)}", (q, height - 0.04 * top)
        annotate(ax, text, xy, offset, ha=side, color=colour, bbox=_paper())
        height -= 0.12 * top
    return ax


def _paper() -> dict[str, Any]:
    """Return a box that keeps lines from crossing a text."""
    return {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0}


def largest_statistics(null: Any, statistic: str = "t") -> np.ndarray:
    """Return the finite largest statistic of each relabelled trial."""
    table = getattr(null, "table", None)
    table = table if isinstance(table, pd.DataFrame) else table_of(null, "nulls")
    largest = table.groupby("relabelling")[statistic].max().to_numpy(float)
    return np.asarray(largest[np.isfinite(largest)])


def best_statistics(verdicts: pd.DataFrame, statistic: str = "t") -> dict[str, float]:
    """Return the best statistic of each polarity among the personas that are compared.

    It is missing for a persona that is inadmissible on all data, or has too few units outside. By
    t, only the candidates with the largest Q are compared; the others have p = 1.
    """
    is_compared = np.isfinite(verdicts[statistic])
    if statistic != "q":
        is_compared &= verdicts["p_single_step"] < 1
    best = verdicts[is_compared].groupby("polarity")[statistic].max()
    return {p: float(best[p]) for p in nm.POLARITIES if p in best.index}


@styled
def draw_stability(
    stability: Any, *, labels: Mapping[str, str] | None = None, top: int = MAX_FEATURES,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw how often each feature was selected over the splits, the most frequent first.

    Parameters
    ----------
    stability
        A table with ``feature``, ``frequency`` and optionally ``polarity``, ``low`` and ``high``;
        the folder of a run, or what `discover` returns.
    labels
        Name by feature; by default the label in the results.
    top
        Number of features.
    ax
        Axes; those of a new figure by default.

    Returns
    -------
    The axes.

    Examples
    --------
    >>> import pandas as pd
    >>> import ketadask as kd
    >>> table = pd.DataFrame({"feature": ["age", "sex"], "frequency": [0.8, 0.3],
    ...     "low": [0.7, 0.2], "high": [0.9, 0.4]})
    >>> [text.get_text() for text in kd.plot.stability(table).texts]
    ['80.0 %', '30.0 %']
    """
    table = most_frequent(table_of(stability, "stability"), top)
    features = list(dict.fromkeys(table["feature"]))
    if labels is None:
        labels = feature_labels(stability)
    polarities = [p for p in _MARKERS if (table["polarity"] == p).any()]
    width = 22 if ax is not None and is_narrow(ax) else 40
    ax = axes_or_new(ax, 92 + 28 * len(features))
    spread = 0.3 * (len(polarities) - 1)
    for index, feature in enumerate(features):
        end = 0.0
        rows = table[table["feature"] == feature].to_dict("records")
        for k, row in enumerate(sorted(rows, key=lambda r: polarities.index(r["polarity"]))):
            marker, colour = _MARKERS[row["polarity"]]
            y = index - spread / 2 + spread * k
            ax.plot([0, row["frequency"]], [y, y], color=LINE, linewidth=1.5, zorder=1)
            if np.isfinite(row["low"]):
                ax.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.5, zorder=2)
                end = max(end, row["high"])
            (dot,) = ax.plot(
                [row["frequency"]], [y], marker, color=colour, markersize=6, zorder=3, clip_on=False
            )
            name = labels.get(feature, feature)
            caption(dot, f"{name}, {row['polarity']}: {percent(row['frequency'])} of splits")
            end = max(end, row["frequency"])
        text = percent(max(row["frequency"] for row in rows))
        annotate(ax, text, (end, index), (8, 0), color=MUTED, fontsize=11.5)
    label_rows(ax, [labels.get(feature, feature) for feature in features], width)
    ax.set(xlim=(0, 1), xlabel="fraction of splits")
    set_percent_ticks(ax.xaxis)
    if len(polarities) > 1:
        legend(ax, [(p, *_MARKERS[p], _MARKERS[p][1]) for p in polarities])
    return ax


def most_frequent(stability: pd.DataFrame, top: int = MAX_FEATURES) -> pd.DataFrame:
    """Return the rows of the features selected most often, with polarity and interval."""
    defaults: dict[str, Any] = {"polarity": ANY_POLARITY, "low": np.nan, "high": np.nan}
    table = stability.assign(**{k: v for k, v in defaults.items() if k not in stability})
    highest = table.groupby("feature", sort=True)["frequency"].max()
    first = highest.sort_values(ascending=False, kind="stable").head(top).index
    order = {feature: k for k, feature in enumerate(first)}
    rows = table[table["feature"].isin(first)]
    return rows.sort_values("feature", key=lambda f: f.map(order), kind="stable")


@styled
def draw_overlap(members: np.ndarray, labels: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Draw how many members each two personas share, in percent of the members of either.

    Parameters
    ----------
    members
        bool (persona, unit), inside each persona.
    labels
        Name of each persona.
    ax
        Axes; those of a new figure by default.

    Returns
    -------
    The axes.

    Examples
    --------
    >>> import numpy as np
    >>> import ketadask as kd
    >>> members = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 1]], bool)
    >>> ax = kd.plot.overlap(members, ["A", "B", "C"])
    >>> [text.get_text() for text in ax.texts[:3]]
    ['33', '25', '33']
    """
    covers = np.asarray(members, dtype=np.int64)
    count, both = len(covers), covers @ covers.T
    size = np.diag(both)
    either = size[:, None] + size[None, :] - both
    ax = axes_or_new(ax, 72 + 34 * count)
    ax.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal", anchor="W")
    for i, j in np.ndindex(count, count):
        jaccard = float(both[i, j] / max(either[i, j], 1))
        (box,) = ax.fill(
            [j - 0.47, j + 0.47, j + 0.47, j - 0.47], [i - 0.47, i - 0.47, i + 0.47, i + 0.47],
            color=LINE if i == j else ACTIVE, alpha=1.0 if i == j else 0.05 + 0.5 * jaccard,
            linewidth=0,
        )  # fmt: skip
        first, second = labels[i], labels[j]
        title = f"personas {first} and {second} share {both[i, j]} of {either[i, j]} members"
        caption(box, title if i != j else f"persona {first}: {both[i, i]} members")
        if i != j and not is_narrow(ax):
            text = f"{100 * jaccard:.0f}"
            ax.text(j, i, text, ha="center", va="center", fontsize=11.5, color=INK)
    ax.set_xticks(range(count), labels)
    ax.set_yticks(range(count), labels)
    ax.tick_params(length=0, labelcolor=INK, labelsize=10.5 if is_narrow(ax) else 12)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.set_xlabel("members in both, % of the members of either", loc="left")
    return ax
