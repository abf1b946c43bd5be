"""What the commands print: tables on standard output, nothing computed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from math import isnan
from time import sleep
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ketadask import names as nm

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.cluster.queue_checks import SystemCheck
    from ketadask.study.status import StageStatus
    from ketadask.study.study import RunSummary

_SHOWN = 10
_WHOLE = ("file", "folder")
_BENEFIT = {nm.FAVOURABLE: "more", nm.UNFAVOURABLE: "less"}


def console() -> Console:
    """Return where results go: text as it is, to a pipe in one width whatever the terminal."""
    made = Console(highlight=False, markup=False)
    return made if made.is_terminal else Console(highlight=False, markup=False, width=160)


def print_summary(ending: RunSummary) -> None:
    """Print the verdicts where there are some, and where to look; the report's path comes last."""
    out = console()
    if ending.verdicts is not None:
        out.print(verdict_table(ending.verdicts))
        if len(ending.verdicts):
            out.print(
                "d: effect between the arms inside; recurs: share of splits that find it again"
            )
        left = len(ending.verdicts) - _SHOWN
        if left > 0:
            out.print(f"and {left:,} more in {ending.folder / 'verdicts.csv'}", soft_wrap=True)
    _show_across(out, ending)
    if ending.predicted is not None:
        out.print(prediction_table(ending.predicted))
    reused = sum(each.present for each in ending.stages)
    made = sum(each.new for each in ending.stages)
    if ending.stages:
        out.print(f"computed {made:,}, reused {reused:,} finished earlier", soft_wrap=True)
    print(ending.report or ending.folder)


def verdict_table(verdicts: pd.DataFrame) -> Table:
    """Return the first verdicts, best first; a literal a line, so that 80 columns are enough."""
    table = Table(
        title="Verdicts; p is adjusted for everything that was searched",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("persona", overflow="fold", min_width=24)
    table.add_column("who")
    for name in ("units", "p", "d", "recurs"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", min_width=15, max_width=24)
    for row in verdicts.head(_SHOWN).to_dict("records"):
        recurrence = row["recurrence"]
        table.add_row(
            Text(str(row["text"]).replace(" and ", " and\n")),
            _BENEFIT.get(str(row["polarity"]), ""),
            f"{row['support']:,}",
            _number(row["p_adjusted"], 4),
            _number(row["d_full"], 2),
            "" if isnan(recurrence) else f"{recurrence:.1%}",
            str(row["verdict"]),
            style="bold" if row["verdict"] == nm.SUPPORTED else "",
        )
    return table


def _show_across(out: Console, ending: RunSummary) -> None:
    """Print where what is claimed holds; noise may agree in all trials, and holds in none."""
    verdicts, told = ending.verdicts, ending.trials
    if verdicts is None or told is None or not len(told):
        return
    claimed = verdicts.loc[verdicts["verdict"] != nm.NOISE, "rank"]
    told = told[told["rank"].isin(claimed)]
    if len(told):
        out.print(across_table(told))
    else:
        out.print("Across trials: nothing is claimed, so nothing is said to hold in any")


def across_table(trials: pd.DataFrame) -> Table:
    """Return in which trials personas hold, in the order of the verdicts."""
    table = Table(
        title="Across trials: benefit inside minus outside (95 % interval)",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("#", justify="right")
    table.add_column("holds", max_width=30)
    for name in ("mean", "a further trial", "found without"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in trials.head(_SHOWN).to_dict("records"):
        mean, low, high, least, most = (
            _number(row[name], 1)
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


def prediction_table(predicted: Mapping[str, Any]) -> Table:
    """Return how well response was foretold, a row per cohort."""
    table = Table(title="Response foretold from brain structure", title_justify="left")
    table.add_column("cohort")
    for name in ("cases", "balanced accuracy", "AUC"):
        table.add_column(name, justify="right")
    for name in predicted["order"]:
        m = predicted["cohorts"][name]
        bac = [_share(m.get(key)) for key in ("bac", "bac_low", "bac_high")]
        area = [_number(m.get(key), 2) for key in ("auc", "auc_low", "auc_high")]
        told = ("{} ({} to {})".format(*each) if each[0] else "" for each in (bac, area))
        table.add_row(name, f"{m['n']:.0f}", *told)
    for name, p in (predicted["p"] or {}).items():
        table.add_row(f"p {name}", f"{predicted['permutations']:,}", f"{p:.4f}", "")
    return table


def _share(value: float | None) -> str:
    return "" if value is None or isnan(value) else f"{value:.1%}"


def print_status(states: list[StageStatus]) -> None:
    """Print one line per stage."""
    out = console()
    out.print(status_table(states))
    for each in states:
        if each.unit == "file" and each.first:
            out.print(f"in {each.first.rpartition('/')[0]}", soft_wrap=True)
            break


def watch_status(read: Callable[[], list[StageStatus]], *, seconds: float = 2.0) -> None:
    """Show one line per stage, anew every few seconds, until nothing is missing or on Ctrl-C."""
    out = console()
    with suppress(KeyboardInterrupt), Live(console=out, auto_refresh=False) as live:
        while True:
            states = read()
            live.update(status_table(states), refresh=True)
            if not any(each.missing for each in states):
                return
            sleep(seconds)


def status_table(states: list[StageStatus]) -> Table:
    """Return one line per stage, its file or what is missing of it in the last column."""
    table = Table(
        title="Stages", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    damaged = any(each.damaged for each in states)
    for name in ("stage", "present", "missing", "parts", *(["damaged"] if damaged else []), ""):
        left = name in ("stage", "")
        table.add_column(
            name, justify="left" if left else "right", no_wrap=name != "", overflow="fold"
        )
    for each in states:
        table.add_row(
            each.stage,
            f"{each.present:,} of {each.total:,} {each.unit}",
            f"{each.missing:,}",
            f"{each.parts:,}",
            *([f"{each.damaged:,}"] if damaged else []),
            Text(each.first if each.unit not in _WHOLE else each.first.rpartition("/")[2]),
        )
    return table


def print_system_checks(findings: list[SystemCheck]) -> bool:
    """Print what was tried; return whether everything is well."""
    table = Table(title="Doctor", title_justify="left")
    for name in ("", "what", "found", "remedy"):
        table.add_column(name, overflow="fold")
    for each in findings:
        table.add_row("ok" if each.well else "bad", each.what, each.found, each.remedy)
    console().print(table)
    return all(each.well for each in findings)


def _number(value: Any, digits: int) -> str:
    return "" if value is None or isnan(value) else f"{value:.{digits}f}"
