"""What `ketadask check` prints: who is there, who is left out and why, and every wrong cell."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ketadask.cli.tables import console

if TYPE_CHECKING:
    from ketadask.study.check import StudyCheck

_SHOWN = 10


def print_check(checked: StudyCheck) -> bool:
    """Print what the tables hold; return whether the study may run on them."""
    out = console()
    flow, analysed = checked.flow, checked.flow["analysed"]
    out.print(f"folder        {checked.folder} ({checked.files:,} files read)", soft_wrap=True)
    out.print(
        f"participants  {flow['assessed']:,} assessed, {flow['studied']:,} in the study, "
        f"{analysed['participants']:,} analysed, {analysed['both_arms']:,} of them on both arms"
    )
    arms = ", ".join(f"{analysed[arm]:,} {arm}" for arm in checked.response)
    out.print(f"cases         {analysed['cases']:,} ({arms})")
    told = ", ".join(f"{n:,} of {m:,} {arm}" for arm, (n, m) in checked.response.items())
    out.print(f"response      {told} ({checked.outcome})")
    out.print(f"units         {checked.units:,} in the {checked.design} design")
    if checked.split_capacity is not None:
        out.print(f"splits        {checked.split_capacity.line()}", soft_wrap=True)
    if checked.alone:
        out.print(
            f"alone         {checked.alone:,} of these units have nobody to exchange with "
            "and are the same in every relabelled trial",
            soft_wrap=True,
        )
    if len(checked.trials) > 1:
        told = ", ".join(f"{name} {count:,}" for name, count in checked.trials.items())
        out.print(f"trials        {len(checked.trials):,}, units in each: {told}", soft_wrap=True)
    if checked.scanners > 1:
        out.print(
            f"sites         {checked.scanners:,}, volumes as each measured them; "
            "features.harmonise: site brings them to one mean and spread",
            soft_wrap=True,
        )
    table = Table(title="Features", title_justify="left")
    for name in ("modality", "kind", "features", "missing", "most missing"):
        table.add_column(name, justify="left" if name in ("modality", "kind") else "right")
    for row in checked.modalities.to_dict("records"):
        shares = [
            "not yet measured" if isnan(row[share]) else f"{row[share]:.1%}"
            for share in ("missing", "most_missing")
        ]
        table.add_row(row["modality"], row["kind"], f"{row['features']:,}", *shares)
    out.print(table)
    if checked.recordings:
        _list(out, f"Recordings left out of {checked.recordings:,}", dict(checked.unusable))
    _list(out, "Features left out", checked.dropped)
    _list(out, "Reasons of exclusion, with participant periods", checked.reasons)
    _list_wrong(out, checked)
    return not checked.stops


def _list_wrong(out: Console, checked: StudyCheck) -> None:
    kept = "the study stops at them" if checked.stops else "they count as missing"
    out.print(f"Wrong cells: {len(checked.wrong) or 'none'}{f'; {kept}' if checked.wrong else ''}")
    for each in checked.wrong[:_SHOWN]:
        place = f"{each['file']}: {each['where']}" if each["file"] else each["where"]
        found = f", found {each['value']!r}; {each['remedy']}"
        out.print(f"  {place}: {each['problem']}{found}", soft_wrap=True)
    if len(checked.wrong) > _SHOWN:
        out.print(f"  and {len(checked.wrong) - _SHOWN:,} more")


def _list(out: Console, title: str, entries: dict[str, Any]) -> None:
    out.print(f"{title}: {len(entries) or 'none'}")
    for name, why in list(entries.items())[:_SHOWN]:
        out.print(f"  {name}: {why}", soft_wrap=True)
    if len(entries) > _SHOWN:
        out.print(f"  and {len(entries) - _SHOWN:,} more")
