"""How good each MEG recording is: its spectrum, bad sensors, mains, clean seconds, flags."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.features.meg.settings import BAD_FLAG, CLEAN_FLAG, LINE_FLAG
from ketadask.report.canvas import ACTIVE, CONTROL, SOFT, Drawing, Surface, draw
from ketadask.report.downloads import as_download
from ketadask.report.format import fixed, number
from ketadask.report.labels import Mask

if TYPE_CHECKING:
    import pandas as pd

MOST_OPEN = 6
_MOST_LINES, _MOST_BAD = 4, 6
_LOWEST, _HIGHEST, _POINTS = 1.0, 120.0, 64
_WIDTH, _HEIGHT = 320.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 38.0, 6.0, 8.0, 22.0
_FREQUENCIES = (1, 3, 10, 30, 100)


@dataclass(frozen=True)
class Sheet:
    """The page of one recording: where its spectrum runs in the common frame, and its row."""

    label: str
    path: str
    mains: float | None
    alt: str
    bad: str
    row: Mapping[str, Any]


@dataclass(frozen=True)
class SpectrumAxes:
    """What the sheets have in common: ticks by place, and the spectrum in the middle of all."""

    across: tuple[tuple[float, int], ...]
    up: tuple[tuple[float, float], ...]
    middle: str
    width: float = _WIDTH
    height: float = _HEIGHT
    left: float = _LEFT
    right: float = _WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = _HEIGHT - _BOTTOM


def recordings_view(
    part: Mapping[str, pd.DataFrame] | None, mask: Mask, identifiers: bool
) -> dict[str, Any] | None:
    """Return what the section shows, the recordings to be looked at first at the top.

    Parameters
    ----------
    part
        quality: a row per recording; spectra: recording, frequency, density in fT2/Hz; failures:
        recording and reason.
    mask, identifiers
        Recordings are numbered where nobody may be named.
    """
    if part is None or not (len(part["quality"]) or len(part["failures"])):
        return None
    view: dict[str, Any] = {
        "left_out": [
            (mask(row.recording), mask(_reason(row.recording, row.reason)))
            for row in part["failures"].itertuples()
        ],
        "limits": {"mains": LINE_FLAG, "clean": CLEAN_FLAG, "bad": BAD_FLAG},
        "sheets": [],
    }
    if not len(part["quality"]):
        return view
    table = worst_first(part["quality"])
    curves = spectra(part["spectra"], table[nm.RECORDING].tolist())
    given = without_task(table[nm.RECORDING].tolist())
    labels = given if identifiers else [f"Recording {k}" for k in range(1, len(table) + 1)]
    frame, sheets = _sheets(table, curves, labels)
    told = table.drop(columns=[nm.PARTICIPANT]).assign(recording=labels)
    return view | {
        "frame": frame,
        "sheets": sheets,
        "open": MOST_OPEN,
        "flagged": int((table["flags"] != "").sum()),
        "clean": float(table["clean_seconds"].median()),
        "seconds": float(table["seconds"].median()),
        "line": float(table["line_ratio"].median()),
        "bad": float(table["bad_sensors"].sum() / table["sensors"].sum()),
        "figure": _overview(table, curves, labels) if len(table) > 2 else None,
        "download": as_download(told, "recordings.csv"),
    }


def _reason(recording: str, reason: str) -> str:
    """Return why a recording was left out, its own file not named again."""
    file, _, rest = reason.partition(": ")
    return rest if rest and file.startswith(recording) else reason


def few(bad: str) -> str:
    """Return a list of bad sensors, shortened where it is long; the download has all of them.

    Examples
    --------
    >>> few("MLC11 (flat), MLC12 (noisy)"), few(", ".join(["MLC11 (flat)"] * 9))[-17:]
    ('MLC11 (flat), MLC12 (noisy)', '(flat) and 3 more')
    """
    named = bad.split(", ")
    if len(named) <= _MOST_BAD:
        return bad
    return f"{', '.join(named[:_MOST_BAD])} and {len(named) - _MOST_BAD} more"


def without_task(names: list[str]) -> list[str]:
    """Return names of recordings without the task, where all have the same.

    Examples
    --------
    >>> without_task(["sub-1_ses-1_task-rest", "sub-2_task-rest"]), without_task(["sub-1_task-a_b"])
    (['sub-1_ses-1', 'sub-2'], ['sub-1_task-a_b'])
    """
    endings = {re.sub(r"^.*(?=_task-[^_]*$)", "", name) for name in names}
    if len(endings) == 1 and (ending := endings.pop()).startswith("_task-"):
        return [name.removesuffix(ending) for name in names]
    return names


def worst_first(quality: pd.DataFrame) -> pd.DataFrame:
    """Return quality rows, flagged ones first, then those with the smallest clean share."""
    clean = quality["clean_seconds"] / quality["seconds"]
    keyed = quality.assign(_calm=quality["flags"] == "", _clean=clean, _line=-quality["line_ratio"])
    keyed = keyed.sort_values(["_calm", "_clean", "_line"], kind="stable", ignore_index=True)
    return keyed.drop(columns=["_calm", "_clean", "_line"])


def spectra(table: pd.DataFrame, order: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return frequency and amplitude (fT per root Hz) of recordings, thinned for a drawing."""
    found = dict(iter(table.groupby(nm.RECORDING, sort=False)))
    return [
        thinned(found[name]["frequency"].to_numpy(), found[name]["density"].to_numpy())
        for name in order
    ]


def thinned(frequency: np.ndarray, density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a spectrum at steps that are even on a logarithmic axis, as amplitude.

    A step has the mean of its densities, or the largest where that is twice the mean, so that a
    line stays a line.

    Examples
    --------
    >>> thinned(np.array([0.5, 10.0, 10.1, 50.0]), np.array([9.0, 4.0, 4.0, 100.0]))
    (array([10.05, 50.  ]), array([ 2., 10.]))
    """
    inside = (frequency >= _LOWEST) & (frequency <= _HIGHEST)
    frequency, density = frequency[inside], density[inside]
    step = np.floor(_POINTS * np.log(frequency / _LOWEST) / np.log(_HIGHEST / _LOWEST))
    first = np.flatnonzero(np.diff(step, prepend=-1))
    if not first.size:
        return frequency, density
    sizes = np.diff(first, append=step.size)
    mean = np.add.reduceat(density, first) / sizes
    middle = np.add.reduceat(frequency, first) / sizes
    highest = np.array([a + density[a : a + n].argmax() for a, n in zip(first, sizes, strict=True)])
    line = density[highest] > 2 * mean
    return (
        np.where(line, frequency[highest], middle),
        np.sqrt(np.where(line, density[highest], mean)),
    )


def _sheets(
    table: pd.DataFrame, curves: list[tuple[np.ndarray, np.ndarray]], labels: list[str]
) -> tuple[SpectrumAxes, list[Sheet]]:
    low, high = _reach(curves)

    def path(frequency: np.ndarray, amplitude: np.ndarray) -> str:
        x, y = _across(frequency), _up(np.maximum(amplitude, low), low, high)
        return "M" + "L".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))

    frame = SpectrumAxes(
        tuple((round(float(_across(f)), 1), f) for f in _FREQUENCIES),
        tuple((round(float(_up(t, low, high)), 1), t) for t in _ticks(low, high)),
        path(*_middle(curves)) if len(curves) > 2 else "",
    )
    sheets = []
    rows = table.to_dict("records")
    for row, (frequency, amplitude), label in zip(rows, curves, labels, strict=True):
        at = int(np.argmin(np.abs(frequency - 10.0)))
        alt = (
            f"Spectrum of {label}: {number(amplitude[at])} fT per root Hz at 10 Hz, "
            f"power at {row['mains']:g} Hz {number(row['line_ratio'])} times that around it"
        )
        shown = _LOWEST < row["mains"] < _HIGHEST
        mains = round(float(_across(row["mains"])), 1) if shown else None
        sheets.append(Sheet(label, path(frequency, amplitude), mains, alt, few(row["bad"]), row))
    return frame, sheets


def _across(frequency: Any) -> Any:
    share = np.log(np.asarray(frequency) / _LOWEST) / np.log(_HIGHEST / _LOWEST)
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * share


def _up(amplitude: Any, low: float, high: float) -> Any:
    share = np.log(np.asarray(amplitude) / low) / np.log(high / low)
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * share


def _reach(curves: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Return ends of the amplitude axis that hold all curves; four decades at most."""
    every = np.concatenate([amplitude for _, amplitude in curves])
    high = 1.2 * float(every.max(initial=1.0))
    return max(float(every[every > 0].min(initial=high / 10)) / 1.2, high / 1e4), high


def _ticks(low: float, high: float) -> list[float]:
    """Return 1, 10, 100 and so on within an axis, with 3, 30 and so on where those are few."""
    powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    tens = [float(10.0**p) for p in powers if low <= 10.0**p <= high]
    if len(tens) > 2:
        return tens
    return sorted(tens + [float(3 * 10.0**p) for p in powers if low <= 3 * 10.0**p <= high])


def _middle(curves: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    frequency, amplitudes = _on_one_grid(curves)
    return frequency, np.median(amplitudes, axis=0)


def _on_one_grid(curves: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return all curves (recording, frequency) at the frequencies of the first."""
    frequency = curves[0][0]
    rows = [np.exp(np.interp(np.log(frequency), np.log(f), np.log(a))) for f, a in curves]
    return frequency, np.array(rows)


def _overview(
    table: pd.DataFrame, curves: list[tuple[np.ndarray, np.ndarray]], labels: list[str]
) -> Drawing:
    frequency, amplitudes = _on_one_grid(curves)
    low, middle, high = np.quantile(amplitudes, (0.05, 0.5, 0.95), axis=0)
    flagged = [
        (label, row, flags)
        for label, row, flags in zip(labels, amplitudes, table["flags"], strict=True)
        if flags
    ][:_MOST_LINES]
    alt = (
        f"Spectra of {len(curves)} recordings from {_LOWEST:g} to {_HIGHEST:g} Hz; the median is "
        f"{fixed(np.interp(10.0, frequency, middle), 1)} fT per root Hz at 10 Hz"
        + "".join(f"; {label} is flagged: {flags}" for label, _, flags in flagged)
    )

    def paint(surface: Surface) -> None:
        axes = surface.axes(58, 48, 16, 12)
        band = axes.fill_between(frequency, low, high, color=SOFT, alpha=0.45, linewidth=0)
        surface.tell(band, "the middle 90 % of the recordings")
        for label, row, flags in flagged:
            (line,) = axes.plot(frequency, row, color=CONTROL, linewidth=1.2)
            surface.tell(line, f"{label}: {flags}")
        (line,) = axes.plot(frequency, middle, color=ACTIVE, linewidth=2)
        surface.tell(line, "the median of the recordings")
        axes.set(xscale="log", yscale="log", xlim=(_LOWEST, _HIGHEST))
        axes.set_xticks(_FREQUENCIES, [str(f) for f in _FREQUENCIES])
        ends = axes.get_ylim()
        ticks = _ticks(*ends)
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set(xlabel="frequency, Hz", ylabel="fT / √Hz", ylim=ends)

    return draw("recordings", alt, (280, 260), paint)
