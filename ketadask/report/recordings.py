"""Quality of each MEG recording: spectrum, bad sensors, mains power, clean seconds, flags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.features.meg.settings import BAD_FLAG, CLEAN_FLAG, COUPLING_FLAG, LINE_FLAG
from ketadask.plot.curves import (
    FREQUENCIES,
    HIGHEST_HZ,
    LOG_RANGE,
    LOWEST_HZ,
    Spectrum,
    amplitude_ticks,
    draw_spectra,
    on_common_grid,
    recording_spectra,
)
from ketadask.report.canvas import Drawing, draw_axes
from ketadask.report.context import ReportContext
from ketadask.report.downloads import Download, as_download
from ketadask.report.format import format_fixed, format_number
from ketadask.report.personas import rows_as

if TYPE_CHECKING:
    import numpy.typing as npt

_OPEN_SHEETS = 6
_MAX_LINES, _MAX_BAD = 4, 6
_WIDTH, _HEIGHT = 320.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 38.0, 6.0, 8.0, 22.0


@dataclass(frozen=True)
class QualityRow:
    """Quality of one recording; columns as in the quality table of a study."""

    seconds: float
    clean_seconds: float
    sensors: int
    bad_sensors: int
    bad: str
    called_bad: int
    mains: float
    line_ratio: float
    grade: int
    heart_removed: int
    pulse: float
    flags: str


@dataclass(frozen=True)
class RecordingSheet:
    """One recording: its quality, and its spectrum as a path in the common frame."""

    label: str
    quality: QualityRow
    path: str
    mains: float | None
    alt: str
    bad_sensors: str


@dataclass(frozen=True)
class SpectrumAxes:
    """The frame common to all sheets: (position, value) of the ticks, and the median spectrum."""

    x_ticks: tuple[tuple[float, int], ...]
    y_ticks: tuple[tuple[float, float], ...]
    median: str
    width: float = _WIDTH
    height: float = _HEIGHT
    left: float = _LEFT
    right: float = _WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = _HEIGHT - _BOTTOM


@dataclass(frozen=True)
class RecordingsView:
    """Quality of the recordings, the worst first, and the excluded ones with reasons."""

    exclusions: tuple[tuple[str, str], ...]
    sheets: tuple[RecordingSheet, ...] = ()
    axes: SpectrumAxes | None = None
    clean_seconds: float = 0.0
    line_ratio: float = 0.0
    bad_sensors: float = 0.0
    n_flagged: int = 0
    figure: Drawing | None = None
    download: Download | None = None
    n_open: int = _OPEN_SHEETS
    max_line_ratio: float = LINE_FLAG
    min_clean: float = CLEAN_FLAG
    max_bad: float = BAD_FLAG
    min_coupling: float = COUPLING_FLAG


def recordings_view(context: ReportContext) -> RecordingsView | None:
    """Return the section, or None where the study has no recordings."""
    part, mask = context.data.recordings, context.mask
    if part is None or not (len(part["quality"]) or len(part["failures"])):
        return None
    exclusions = tuple(
        (mask(recording), mask(_reason(str(recording), str(reason))))
        for recording, reason in part["failures"][["recording", "reason"]].to_numpy()
    )
    if not len(part["quality"]):
        return RecordingsView(exclusions)
    table = worst_first(part["quality"])
    curves = recording_spectra(part["spectra"], table[nm.RECORDING].tolist())
    labels = without_task(table[nm.RECORDING].tolist())
    if not context.identifiers:
        labels = [f"Recording {k}" for k in range(1, len(table) + 1)]
    axes, sheets = _sheets(rows_as(table, QualityRow), curves, labels)
    anonymous = table.drop(columns=[nm.PARTICIPANT]).assign(recording=labels)
    return RecordingsView(
        exclusions,
        sheets,
        axes,
        clean_seconds=float(table["clean_seconds"].median()),
        line_ratio=float(table["line_ratio"].median()),
        bad_sensors=float(table["bad_sensors"].sum() / table["sensors"].sum()),
        n_flagged=int((table["flags"] != "").sum()),
        figure=_overview(sheets, curves) if len(table) > 2 else None,
        download=as_download(anonymous, "recordings.csv"),
    )


def _reason(recording: str, reason: str) -> str:
    """Return the reason of an exclusion without the name of the recording."""
    file, _, rest = reason.partition(": ")
    return rest if rest and file.startswith(recording) else reason


def shorten_list(bad: str) -> str:
    """Return a list of bad sensors, shortened where it is long.

    Examples
    --------
    >>> shorten_list("MLC11 (flat), MLC12 (noisy)")
    'MLC11 (flat), MLC12 (noisy)'
    >>> shorten_list(", ".join(["MLC11 (flat)"] * 9))[-17:]
    '(flat) and 3 more'
    """
    sensors = bad.split(", ")
    if len(sensors) <= _MAX_BAD:
        return bad
    return f"{', '.join(sensors[:_MAX_BAD])} and {len(sensors) - _MAX_BAD} more"


def without_task(names: list[str]) -> list[str]:
    """Return names of recordings without the task, where all have the same task.

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
    """Return quality rows, flagged ones first, then those with the least clean time."""
    keys = pd.DataFrame(
        {
            "unflagged": quality["flags"] == "",
            "clean": quality["clean_seconds"] / quality["seconds"],
            "line": -quality["line_ratio"],
        }
    )
    order = keys.sort_values(list(keys.columns), kind="stable").index
    return quality.loc[order].reset_index(drop=True)


def _sheets(
    rows: list[QualityRow], curves: list[Spectrum], labels: list[str]
) -> tuple[SpectrumAxes, tuple[RecordingSheet, ...]]:
    low, high = _amplitude_range(curves)

    def path(frequency: np.ndarray, amplitude: np.ndarray) -> str:
        x, y = _x_position(frequency), _y_position(np.maximum(amplitude, low), low, high)
        return "M" + "L".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))

    frequency, amplitudes = on_common_grid(curves)
    axes = SpectrumAxes(
        tuple((round(float(_x_position(f)), 1), f) for f in FREQUENCIES),
        tuple((round(float(_y_position(t, low, high)), 1), t) for t in amplitude_ticks(low, high)),
        path(frequency, np.median(amplitudes, axis=0)) if len(curves) > 2 else "",
    )
    sheets = []
    for row, (frequency, amplitude), label in zip(rows, curves, labels, strict=True):
        at_10_hz = amplitude[np.argmin(np.abs(frequency - 10.0))]
        alt = (
            f"Spectrum of {label}: {format_number(at_10_hz)} fT per root Hz at 10 Hz, power at "
            f"{row.mains:g} Hz {format_number(row.line_ratio)} times that of neighbouring "
            "frequencies"
        )
        is_inside = LOWEST_HZ < row.mains < HIGHEST_HZ
        mains = round(float(_x_position(row.mains)), 1) if is_inside else None
        bad = shorten_list(row.bad)
        sheets.append(RecordingSheet(label, row, path(frequency, amplitude), mains, alt, bad))
    return axes, tuple(sheets)


def _x_position(frequency: npt.ArrayLike) -> np.ndarray:
    fraction: np.ndarray = np.log(np.asarray(frequency, float) / LOWEST_HZ) / LOG_RANGE
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * fraction


def _y_position(amplitude: npt.ArrayLike, low: float, high: float) -> np.ndarray:
    fraction: np.ndarray = np.log(np.asarray(amplitude, float) / low) / np.log(high / low)
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * fraction


def _amplitude_range(curves: list[Spectrum]) -> tuple[float, float]:
    """Return limits of the amplitude axis that contain all curves, at most four decades."""
    amplitudes = np.concatenate([amplitude for _, amplitude in curves])
    high = 1.2 * float(amplitudes.max(initial=1.0))
    lowest = float(amplitudes[amplitudes > 0].min(initial=high / 10))
    return max(lowest / 1.2, high / 1e4), high


def _overview(sheets: tuple[RecordingSheet, ...], curves: list[Spectrum]) -> Drawing:
    frequency, amplitudes = on_common_grid(curves)
    median = np.median(amplitudes, axis=0)
    flagged = [s for s in sheets if s.quality.flags][:_MAX_LINES]
    flags = {s.label: f"{s.label}: {s.quality.flags}" for s in flagged}
    alt = (
        f"Spectra of {len(curves)} recordings from {LOWEST_HZ:g} to {HIGHEST_HZ:g} Hz; median "
        f"{format_fixed(np.interp(10.0, frequency, median), 1)} fT per root Hz at 10 Hz"
        + "".join(f"; flagged: {title}" for title in flags.values())
    )
    table = pd.concat(
        pd.DataFrame({"recording": sheet.label, "frequency": hz, "density": amplitude**2})
        for sheet, (hz, amplitude) in zip(sheets, curves, strict=True)
    )
    return draw_axes(
        "recordings", alt, (280, 260), lambda ax: draw_spectra(table, flags=flags, ax=ax)
    )
