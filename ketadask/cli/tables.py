"""What the commands print: tables on standard output, nothing computed here."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.study.doctor import Finding
    from ketadask.study.states import State
    from ketadask.study.study import Ending

_SHOWN = 10


def console() -> Console:
    """Return where results go; a pipe gets lines of one width whatever the terminal."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=160)


def show_ending(ending: Ending) -> None:
    """Print the verdicts where there are some, and where to look; the report's path comes last."""
    out = console()
    if ending.verdicts is not None:
        out.print(verdict_table(ending.verdicts))
        left = len(ending.verdicts) - _SHOWN
        if left > 0:
            out.print(f"and {left:,} more in {ending.folder / 'verdicts.csv'}", soft_wrap=True)
    if ending.predicted is not None:
        out.print(prediction_table(ending.predicted))
    reused = sum(each.reused for each in ending.stages)
    made = sum(each.made for each in ending.stages)
    if ending.stages:
        out.print(f"computed {made:,}, reused {reused:,} finished earlier", soft_wrap=True)
    print(ending.report or ending.folder)


def verdict_table(verdicts: pd.DataFrame) -> Table:
    """Return the first verdicts, best first."""
    table = Table(title="Verdicts", title_justify="left")
    numbers = ("units", "adjusted p", "d", "recurrence")
    for name in ("persona", "who", *numbers, "verdict"):
        table.add_column(
            name,
            justify="right" if name in numbers else "left",
            no_wrap=name not in ("persona", "verdict"),
        )
    for row in verdicts.head(_SHOWN).to_dict("records"):
        table.add_row(
            str(row["text"]),
            str(row["polarity"]),
            str(row["support"]),
            _number(row["p_adjusted"], 4),
            _number(row["d_full"], 2),
            "" if isnan(row["recurrence"]) else f"{row['recurrence']:.0%}",
            str(row["verdict"]),
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
        table.add_row(name, f"{m['n']:.0f}", *("{} ({} to {})".format(*x) for x in (bac, area)))
    for name, p in (predicted["p"] or {}).items():
        table.add_row(f"p {name}", f"{predicted['permutations']:,}", f"{p:.4f}", "")
    return table


def _share(value: float | None) -> str:
    return "" if value is None or isnan(value) else f"{value:.1%}"


def show_status(states: list[State]) -> None:
    """Print one line per stage."""
    table = Table(title="Stages", title_justify="left")
    for name in ("stage", "present", "missing", "parts", "damaged", ""):
        table.add_column(name, justify="left" if name in ("stage", "") else "right")
    for each in states:
        table.add_row(
            each.stage,
            f"{each.present:,} of {each.total:,} {each.unit}",
            f"{each.missing:,}",
            f"{each.parts:,}",
            f"{each.damaged:,}" if each.damaged else "",
            each.first,
        )
    console().print(table)


def show_doctor(findings: list[Finding]) -> bool:
    """Print what was tried; return whether everything is well."""
    table = Table(title="Doctor", title_justify="left")
    for name in ("", "what", "found", "remedy"):
        table.add_column(name, overflow="fold")
    for each in findings:
        table.add_row("ok" if each.well else "bad", each.what, each.found, each.remedy)
    console().print(table)
    return all(each.well for each in findings)


def _number(value: Any, digits: int) -> str:
    return "" if isnan(value) else f"{value:.{digits}f}"
