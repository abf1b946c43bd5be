"""Output of `ketadask check`: participants, features, exclusions and invalid cells."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ketadask.cli.tables import console, plain_table, print_line, print_overall
from ketadask.cohort.column_uses import NO_USE

if TYPE_CHECKING:
    from rich.table import Table

    from ketadask.study.check import StudyCheck

_MAX_ROWS = 10


def print_check(check: StudyCheck) -> bool:
    """Print the contents of the tables; return whether the study can run on them."""
    out = console()
    for name, text in _facts(check):
        print_line(out, f"{name:14}{text}", indent=14)
    print_overall(out, check.overall)
    out.print(_feature_table(check))
    if check.recordings:
        _print_list(out, f"Excluded recordings (of {check.recordings:,})", dict(check.unusable))
    _print_columns(out, check)
    _print_list(out, "Excluded features", check.excluded_features)
    _print_list(out, "Exclusions of participants or periods, by reason", check.reasons)
    _print_invalid_cells(out, check)
    return not check.stops


def _facts(check: StudyCheck) -> list[tuple[str, str]]:
    flow, analysis = check.flow, check.flow["analysed"]
    arms = ", ".join(f"{analysis[arm]:,} {arm}" for arm in check.response)
    responders = ", ".join(f"{n:,} of {m:,} {arm}" for arm, (n, m) in check.response.items())
    facts = [
        ("folder", f"{check.folder} ({check.files:,} files)"),
        (
            "participants",
            f"{flow['assessed']:,} assessed, {flow['studied']:,} in the study, "
            f"{analysis['participants']:,} analysed, {analysis['both_arms']:,} with both arms",
        ),
        ("cases", f"{analysis['cases']:,} ({arms})"),
        ("endpoint", check.endpoint),
        *([("response", f"{responders} ({check.outcome})")] if check.outcome else []),
        ("units", f"{check.units:,} in the {check.design} design"),
    ]
    facts.append(("verdicts", check.comparison.line()))
    if check.split_capacity is not None:
        facts.append(("splits", check.split_capacity.line()))
    if check.n_unexchangeable:
        facts.append(
            (
                "relabellings",
                f"{check.n_unexchangeable:,} of these units are alone in their stratum "
                "and are the same in every relabelled trial",
            )
        )
    if check.duplicates:
        facts.append(("duplicates", check.duplicates))
    if len(check.trials) > 1:
        sizes = ", ".join(f"{name} {count:,}" for name, count in check.trials.items())
        facts.append(("trials", f"{len(check.trials):,}, units in each: {sizes}"))
    if check.n_sites > 1:
        facts.append(
            (
                "sites",
                f"{check.n_sites:,}, volumes are not harmonised; "
                "set features.harmonise: site for a common mean and variance",
            )
        )
    return facts


def _feature_table(check: StudyCheck) -> Table:
    table = plain_table("Features")
    for name in ("modality", "kind", "features", "missing", "most missing"):
        table.add_column(name, justify="left" if name in ("modality", "kind") else "right")
    for row in check.modalities.to_dict("records"):
        rates = [
            "not yet computed" if isnan(row[rate]) else f"{row[rate]:.1%}"
            for rate in ("missing", "most_missing")
        ]
        table.add_row(row["modality"], row["kind"], f"{row['features']:,}", *rates)
    return table


def _print_columns(out: Console, check: StudyCheck) -> None:
    """Print what every column is used for: features in one line per file, others one by one."""
    by_use: dict[tuple[str, str], list[str]] = {}
    without_use: dict[str, str] = {}
    for row in check.columns:
        if row["use"] == NO_USE:
            without_use[f"{row['file']}: {row['column']}"] = row["reason"]
        else:
            code = f" ({row['reason']})" if row["reason"].startswith("1 is ") else ""
            by_use.setdefault((row["file"], row["use"]), []).append(row["column"] + code)
    out.print(f"Columns in use: {sum(map(len, by_use.values())):,} of {len(check.columns):,}")
    for (file, use), columns in by_use.items():
        rest = f" and {len(columns) - _MAX_ROWS:,} more" if len(columns) > _MAX_ROWS else ""
        print_line(out, f"  {file}: {use}: {', '.join(columns[:_MAX_ROWS])}{rest}", indent=4)
    _print_list(out, "Columns not used", without_use)


def _print_invalid_cells(out: Console, check: StudyCheck) -> None:
    consequence = "the study stops at them" if check.stops else "they count as missing"
    cells = check.invalid_cells
    out.print(f"Invalid cells: {len(cells) or 'none'}{f'; {consequence}' if cells else ''}")
    for cell in cells[:_MAX_ROWS]:
        position = f"{cell['file']}: {cell['where']}" if cell["file"] else cell["where"]
        value = f", found {cell['value']!r}; {cell['remedy']}"
        print_line(out, f"  {position}: {cell['problem']}{value}", indent=4)
    if len(cells) > _MAX_ROWS:
        out.print(f"  and {len(cells) - _MAX_ROWS:,} more")


def _print_list(out: Console, title: str, entries: dict[str, Any]) -> None:
    out.print(f"{title}: {len(entries) or 'none'}")
    for name, reason in list(entries.items())[:_MAX_ROWS]:
        print_line(out, f"  {name}: {reason}", indent=4)
    if len(entries) > _MAX_ROWS:
        out.print(f"  and {len(entries) - _MAX_ROWS:,} more")
