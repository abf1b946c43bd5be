"""Tables on standard output."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from math import isnan
from time import sleep
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ketadask import names as nm

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.cluster.queue_checks import SystemCheck
    from ketadask.report.overall import OverallFacts
    from ketadask.study.status import StageStatus
    from ketadask.study.study import RunSummary

_MAX_ROWS, _MAX_CLAIMS = 10, 3
_PATH_UNITS = ("file", "folder")
_BENEFIT = {nm.FAVOURABLE: "more", nm.UNFAVOURABLE: "less"}


def console() -> Console:
    """Return standard output without markup, 160 columns wide if it is not a terminal."""
    output = Console(highlight=False, markup=False)
    return output if output.is_terminal else Console(highlight=False, markup=False, width=160)


def print_line(out: Console, text: str, *, indent: int = 0, style: str | None = None) -> None:
    """Print a line: on a terminal it wraps between words, elsewhere it stays whole."""
    if out.is_terminal:
        space = " " * indent
        text = textwrap.fill(
            text, out.width - 1, subsequent_indent=space, break_long_words=False,
            break_on_hyphens=False, drop_whitespace=True, replace_whitespace=False,
        )  # fmt: skip
    out.print(text, soft_wrap=True, style=style)


def plain_table(title: str = "") -> Table:
    """Return an empty table in the style of all commands."""
    return Table(
        title=title or None, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0),
        pad_edge=False, show_edge=False,
    )  # fmt: skip


def print_overall(out: Console, overall: OverallFacts) -> None:
    """Print the overall effect, and in yellow where the control arm does better."""
    print_line(out, f"overall effect: {overall.line}")
    if overall.warning:
        print_line(out, f"Warning: {overall.warning}", style="yellow")


def print_summary(summary: RunSummary) -> None:
    """Print verdicts, trials, prediction and counts; the last line is the path of the report."""
    out = console()
    if summary.verdicts is not None:
        out.print(render_verdicts(summary.verdicts, places=summary.places, labels=summary.labels))
        if len(summary.verdicts):
            out.print(
                "who: benefits more or less; n: units inside; difference: benefit inside minus "
                "outside with 95 % interval, corrected for the search unless marked; hits: rate "
                f"of splits with the persona as a hit; noise: {nm.NOISE}"
                + _unknown_units(summary.verdicts)
            )
        more = len(summary.verdicts) - _MAX_ROWS
        if more > 0:
            out.print(f"and {more:,} more in {summary.folder / 'verdicts.csv'}", soft_wrap=True)
    _print_trials(out, summary)
    if summary.prediction is not None:
        out.print(render_prediction(summary.prediction))
    if summary.stages:
        new = sum(stage.new for stage in summary.stages)
        present = sum(stage.present for stage in summary.stages)
        out.print(f"{new:,} items computed, {present:,} already complete", soft_wrap=True)
    if summary.overall is not None:
        print_overall(out, summary.overall)
    if summary.verdicts is not None:
        _print_counts(out, summary)
    print(summary.report or summary.folder)


def _print_counts(out: Console, summary: RunSummary) -> None:
    """Print the number of each verdict, and the supported personas."""
    verdicts = summary.verdicts
    assert verdicts is not None
    counts = [
        f"{int((verdicts['verdict'] == word).sum()):,} {word}"
        for word in (nm.SUPPORTED, nm.SUGGESTIVE, nm.NOISE)
    ]
    print_line(out, "verdicts: " + ", ".join(counts))
    names = list(summary.labels or verdicts["text"].astype(str))
    rows = zip(names, verdicts.to_dict("records"), strict=False)
    claims = [(name, row) for name, row in rows if row["verdict"] == nm.SUPPORTED]
    for name, row in claims[:_MAX_CLAIMS]:
        difference = _difference(row, summary.places).replace("\n", " (95 % interval ", 1)
        end = ")" if "interval" in difference else ""
        benefit = _BENEFIT.get(str(row["polarity"]), "")
        out.print(f"supported: {name}; benefits {benefit}, difference {difference}{end}")


def render_verdicts(
    verdicts: pd.DataFrame, *, places: int = 1, labels: Sequence[str] = ()
) -> Table:
    """Return the first verdicts, best first; names wrap between words only.

    ``places`` are the decimals of benefit differences, ``labels`` the personas in words.
    """
    names = list(labels or verdicts["text"].astype(str))
    longest = max((len(word) for name in names[:_MAX_ROWS] for word in name.split()), default=0)
    table = plain_table("Verdicts; p is adjusted for the whole search")
    table.add_column("persona", overflow="fold", min_width=max(24, longest))
    table.add_column("who")
    for name in ("n", "p", "difference", "hits"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for name, row in zip(names, verdicts.head(_MAX_ROWS).to_dict("records"), strict=False):
        recurrence = row["recurrence"]
        table.add_row(
            Text(name),
            _BENEFIT.get(str(row["polarity"]), ""),
            f"{row['support']:,}",
            _decimal(row["p_adjusted"], 3 if row["p_adjusted"] >= 0.001 else 4),
            _difference(row, places),
            "" if isnan(recurrence) else f"{recurrence:.0%}",
            "noise" if row["verdict"] == nm.NOISE else str(row["verdict"]),
            style="bold" if row["verdict"] == nm.SUPPORTED else "",
        )
    return table


def _difference(row: Mapping[Hashable, Any], places: int) -> str:
    """Return the corrected difference and its interval; without one, that on these data."""
    if isnan(row["difference_low"]):
        return "" if isnan(row["difference"]) else f"{row['difference']:z.{places}f}\nuncorrected"
    low, high = row["difference_low"], row["difference_high"]
    return f"{row['difference_shrunken']:z.{places}f}\n{low:z.{places}f} to {high:z.{places}f}"


def _unknown_units(verdicts: pd.DataFrame) -> str:
    unknown = int(verdicts["unknown"].head(_MAX_ROWS).max())
    if not unknown:
        return ""
    return f"; up to {unknown:,} units are neither inside nor outside, because a value is missing"


def _print_trials(out: Console, summary: RunSummary) -> None:
    """Print trial summaries of personas above noise; noise can agree in all trials by chance."""
    verdicts, trials = summary.verdicts, summary.trials
    if verdicts is None or trials is None or not len(trials):
        return
    ranks = verdicts.loc[verdicts["verdict"] != nm.NOISE, "rank"]
    trials = trials[trials["rank"].isin(ranks)]
    if len(trials):
        out.print(render_trials(trials, places=summary.places))
    else:
        out.print("Across trials: no persona supported")


def render_trials(trials: pd.DataFrame, *, places: int = 1) -> Table:
    """Return effects across trials, in the order of the verdicts."""
    table = plain_table("Across trials: benefit inside minus outside (95 % interval)")
    table.add_column("#", justify="right")
    table.add_column("consistency", max_width=30)
    for name in ("mean", "95 % prediction", "rediscovered"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in trials.head(_MAX_ROWS).to_dict("records"):
        mean, low, high, least, most = (
            _decimal(row[name], places)
            for name in ("effect", "low", "high", "prediction_low", "prediction_high")
        )
        table.add_row(
            str(row["rank"]),
            str(row["consistency"]) + (f": {row['only_trial']}" if row["only_trial"] else ""),
            f"{mean} ({low} to {high})" if low else mean,
            f"{least} to {most}" if least else "",
            f"{row['n_rediscovered']} of {row['n_trials']}",
        )
    return table


def render_prediction(prediction: Mapping[str, Any]) -> Table:
    """Return the performance of the classifier, one row per cohort."""
    table = plain_table("Prediction of response from brain structure")
    table.add_column("cohort")
    for name in ("cases", "responders", "AUC", "p (AUC)", "balanced accuracy", "p (accuracy)"):
        table.add_column(name, justify="right")
    for name in prediction["order"]:
        cohort = prediction["cohorts"][name]
        auc, bac = (
            [convert(cohort.get(f"{key}{end}")) for end in ("", "_low", "_high")]
            for key, convert in (("auc", partial(_decimal, digits=2)), ("bac", _percent))
        )
        area, accuracy = ("{} ({} to {})".format(*ends) if ends[0] else "" for ends in (auc, bac))
        p_area, p_accuracy = (_decimal(cohort.get(key), 4) for key in ("p_auc", "p_bac"))
        counts = (f"{cohort['n']:.0f}", f"{cohort['n_response']:.0f}")
        table.add_row(name, *counts, area, p_area, accuracy, p_accuracy)
    return table


def _percent(value: float | None) -> str:
    return "" if value is None or isnan(value) else f"{value:.1%}"


def print_status(stages: list[StageStatus]) -> None:
    """Print one row per stage, and the run folder."""
    out = console()
    out.print(render_status(stages))
    for stage in stages:
        if stage.unit == "file" and stage.first:
            out.print(f"in {stage.first.rpartition('/')[0]}", soft_wrap=True)
            break


def follow_status(
    read: Callable[[], list[StageStatus]],
    end: Callable[[], str | None],
    *,
    seconds: float = 2.0,
) -> bool:
    """Show a bar per stage, updated every few seconds, until the run ends; return if complete.

    ``end`` returns how the run ended, None while it is active; what it says twice in a row is
    printed.
    """
    out, before, now = console(), None, None
    with Live(console=out, auto_refresh=False) as live:
        while True:
            stages = read()
            live.update(render_status(stages, bars=True), refresh=True)
            is_complete = not any(stage.missing for stage in stages)
            before, now = now, end()
            if is_complete or (now is not None and before is not None):
                break
            sleep(seconds)
    if not out.is_terminal:
        out.print()  # a terminal has this end of line already
    if not is_complete:
        out.print(now, soft_wrap=True)
    return is_complete


def render_status(stages: list[StageStatus], *, bars: bool = False) -> Table:
    """Return one row per stage; the last column is its file or first missing items, or a bar."""
    table = plain_table("Stages")
    any_damage = any(stage.damaged for stage in stages)
    for name in ("stage", "present", "missing", "parts", *(["damaged"] if any_damage else []), ""):
        justify: JustifyMethod = "left" if name in ("stage", "") else "right"
        table.add_column(name, justify=justify, no_wrap=name != "", overflow="fold")
    for stage in stages:
        is_path = stage.unit in _PATH_UNITS
        table.add_row(
            stage.stage,
            f"{stage.present:,} of {stage.total:,} {stage.unit}",
            f"{stage.missing:,}",
            f"{stage.parts:,}",
            *([f"{stage.damaged:,}"] if any_damage else []),
            ProgressBar(total=max(stage.total, 1), completed=stage.present, width=20)
            if bars
            else Text(stage.first.rpartition("/")[2] if is_path else stage.first),
        )
    return table


def print_system_checks(system_checks: list[SystemCheck]) -> bool:
    """Print the checks of the machine; return whether all passed."""
    table = plain_table("Doctor")
    for name in ("", "check", "found", "remedy"):
        table.add_column(name, overflow="fold")
    for check in system_checks:
        table.add_row("ok" if check.ok else "bad", check.name, check.detail, check.remedy)
    console().print(table)
    return all(check.ok for check in system_checks)


def _decimal(value: Any, digits: int) -> str:
    return "" if value is None or isnan(value) else f"{value:.{digits}f}"
