"""Curves: risk and coverage, power, spectra of recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.plot.results import table_of
from ketadask.plot.style import (
    ACTIVE,
    CONTROL,
    DASHED,
    INK,
    LINE,
    SOFT,
    annotate,
    axes_or_new,
    caption,
    percent,
    set_percent_ticks,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOWEST_HZ, HIGHEST_HZ, _POINTS = 1.0, 120.0, 64
LOG_RANGE = float(np.log(HIGHEST_HZ / LOWEST_HZ))
FREQUENCIES = (1, 3, 10, 30, 100)
_EFFECT_STYLES = ((CONTROL, "s"), (ACTIVE, "o"), (INK, "^"))
Spectrum = tuple[np.ndarray, np.ndarray]


@styled
def draw_risk_coverage(curve: Any, *, ax: Axes | None = None) -> Axes:
    """Draw accuracy against coverage: fewer cases are explained, more of them correctly.

    Parameters
    ----------
    curve
        A table with ``coverage``, ``accuracy`` and optionally ``null_mean``, ``null_low`` and
        ``null_high`` of relabelled trials; the folder of a run, or what `discover` returns.
    ax
        Axes; those of a new figure by default.

    Returns
    -------
    The axes.

    Examples
    --------
    >>> import pandas as pd
    >>> import ketadask as kd
    >>> curve = pd.DataFrame({"coverage": [0.2, 0.6, 1.0], "accuracy": [0.9, 0.7, 0.6],
    ...     "null_mean": 0.5, "null_low": [0.2, 0.35, 0.4], "null_high": [0.8, 0.65, 0.6]})
    >>> kd.plot.risk_coverage(curve).get_ylabel()
    'accuracy'
    """
    table = table_of(curve, "curve").dropna(subset=["coverage", "accuracy"])
    table = table.sort_values("coverage", kind="stable")
    ax = axes_or_new(ax, 300)
    ax.axhline(0.5, color=LINE, linewidth=1.2, linestyle=DASHED)
    if "null_low" in table:
        x, low, high = (table[name] for name in ("coverage", "null_low", "null_high"))
        band = ax.fill_between(x, low, high, color=SOFT, alpha=0.45, linewidth=0)
        caption(band, "central 90 % of the relabelled trials, same splits")
        ax.plot(table["coverage"], table["null_mean"], color=SOFT, linewidth=1.6)
    ax.plot(table["coverage"], table["accuracy"], color=ACTIVE, linewidth=1.6)
    for x, y in zip(table["coverage"], table["accuracy"], strict=True):
        (dot,) = ax.plot([x], [y], "o", color=ACTIVE, markersize=5, clip_on=False)
        caption(dot, f"coverage {percent(x)}, accuracy {percent(y)}")
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="cases explained", ylabel="accuracy")
    set_percent_ticks(ax.xaxis, ax.yaxis)
    return ax


@styled
def draw_power(power: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw power against participants, a line per effect; dashed for the shorter feature list.

    Parameters
    ----------
    power
        What `power` returns, of one design.
    ax
        Axes; those of a new figure by default.

    Returns
    -------
    The axes.

    Examples
    --------
    >>> import pandas as pd
    >>> import ketadask as kd
    >>> table = pd.DataFrame({"participants": [30, 60, 120] * 2, "features": 20,
    ...     "effect": [0.5] * 3 + [0.8] * 3, "power": [0.1, 0.3, 0.6, 0.3, 0.7, 0.95]})
    >>> table = table.assign(power_low=table["power"] - 0.05, power_high=table["power"] + 0.05)
    >>> [text.get_text() for text in kd.plot.power(table).texts]
    ['d = 0.5', 'd = 0.8']
    """
    ax = axes_or_new(ax, 340)
    shortest, longest = power["features"].min(), power["features"].max()
    ax.axhline(0.8, color=LINE, linewidth=1.2, linestyle=DASHED)
    for k, effect in enumerate(sorted(power["effect"].unique())):
        colour, marker = _EFFECT_STYLES[k % len(_EFFECT_STYLES)]
        for features in sorted(power["features"].unique()):
            rows = power[(power["effect"] == effect) & (power["features"] == features)]
            rows = rows.sort_values("participants")
            style = "solid" if features == longest else DASHED
            ax.plot(rows["participants"], rows["power"], linestyle=style, color=colour, lw=1.8)
            for row in rows.to_dict("records"):
                (dot,) = ax.plot([row["participants"]], [row["power"]], marker, color=colour, ms=6)
                value, low, high = (percent(row[n]) for n in ("power", "power_low", "power_high"))
                scenario = f"{row['participants']} participants, {features} features, d = {effect}"
                caption(dot, f"{scenario}: {value} ({low} to {high})")
            if features == longest:
                end = (rows["participants"].iloc[-1], rows["power"].iloc[-1])
                annotate(ax, f"d = {effect}", end, (10, 0), color=colour)
    ax.set(ylim=(-0.02, 1.02), xlabel="participants", ylabel="power")
    set_percent_ticks(ax.yaxis)
    ax.set_xticks(sorted(power["participants"].unique()))
    if shortest != longest:
        text = f"solid: {longest} features; dashed: {shortest} features"
        ax.set_title(text, fontsize=12.5, loc="left", color=INK)
    return ax


@styled
def draw_spectra(
    spectra: Any, *, flags: Mapping[str, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the median spectrum of recordings with the central 90 % of them.

    Parameters
    ----------
    spectra
        A table with ``recording``, ``frequency`` in Hz and ``density`` in fT squared per Hz; or
        the folder of a run.
    flags
        By recording, why it is flagged: these are drawn each.
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
    >>> hz = np.arange(1.0, 121.0)
    >>> one = pd.DataFrame({"recording": "one", "frequency": hz, "density": 400 / hz})
    >>> alpha = one["density"] + 200 * np.exp(-((hz - 10) ** 2) / 4)
    >>> ax = kd.plot.spectra(pd.concat([one, one.assign(recording="two", density=alpha)]))
    >>> ax.get_ylabel()
    'fT / √Hz'
    """
    table = table_of(spectra, "spectra")
    names = list(dict.fromkeys(table[nm.RECORDING]))
    frequency, amplitudes = on_common_grid(recording_spectra(table, names))
    low, median, high = np.quantile(amplitudes, (0.05, 0.5, 0.95), axis=0)
    ax = axes_or_new(ax, 280)
    band = ax.fill_between(frequency, low, high, color=SOFT, alpha=0.45, linewidth=0)
    caption(band, "central 90 % of the recordings")
    for name, amplitude in zip(names, amplitudes, strict=True):
        if flags and name in flags:
            (line,) = ax.plot(frequency, amplitude, color=CONTROL, linewidth=1.2)
            caption(line, flags[name])
    (line,) = ax.plot(frequency, median, color=ACTIVE, linewidth=2)
    caption(line, "median of the recordings")
    ax.set(xscale="log", yscale="log", xlim=(LOWEST_HZ, HIGHEST_HZ))
    ax.set_xticks(FREQUENCIES, [str(f) for f in FREQUENCIES])
    ends = ax.get_ylim()
    ticks = amplitude_ticks(*ends)
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set(xlabel="frequency, Hz", ylabel="fT / √Hz", ylim=ends)
    return ax


def recording_spectra(table: pd.DataFrame, order: list[str]) -> list[Spectrum]:
    """Return frequency and amplitude (fT per root Hz) of recordings, reduced for a drawing."""
    rows = dict(iter(table.groupby(nm.RECORDING, sort=False)))
    return [
        reduce_spectrum(rows[name]["frequency"].to_numpy(), rows[name]["density"].to_numpy())
        for name in order
    ]


def reduce_spectrum(frequency: np.ndarray, density: np.ndarray) -> Spectrum:
    """Return a spectrum at even steps of a logarithmic axis, as amplitude.

    A step has the mean of its densities, or the maximum where that is more than twice the mean, so
    that spectral lines remain visible.

    Examples
    --------
    >>> reduce_spectrum(np.array([0.5, 10.0, 10.1, 50.0]), np.array([9.0, 4.0, 4.0, 100.0]))
    (array([10.05, 50.  ]), array([ 2., 10.]))
    """
    inside = (frequency >= LOWEST_HZ) & (frequency <= HIGHEST_HZ)
    frequency, density = frequency[inside], density[inside]
    step = np.floor(_POINTS * np.log(frequency / LOWEST_HZ) / LOG_RANGE)
    first = np.flatnonzero(np.diff(step, prepend=-1))
    if not first.size:
        return frequency, density
    sizes = np.diff(first, append=step.size)
    mean = np.add.reduceat(density, first) / sizes
    centre = np.add.reduceat(frequency, first) / sizes
    peak = np.array([a + density[a : a + n].argmax() for a, n in zip(first, sizes, strict=True)])
    is_line = density[peak] > 2 * mean
    return (
        np.where(is_line, frequency[peak], centre),
        np.sqrt(np.where(is_line, density[peak], mean)),
    )


def amplitude_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten within an axis, and three times these where they are few."""
    powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    tens = [float(10.0**p) for p in powers if low <= 10.0**p <= high]
    if len(tens) > 2:
        return tens
    return sorted(tens + [float(3 * 10.0**p) for p in powers if low <= 3 * 10.0**p <= high])


def on_common_grid(curves: list[Spectrum]) -> Spectrum:
    """Return all curves (recording, frequency) at the frequencies of the first."""
    frequency = curves[0][0]
    rows = [np.exp(np.interp(np.log(frequency), np.log(f), np.log(a))) for f, a in curves]
    return frequency, np.array(rows)
