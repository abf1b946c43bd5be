"""The checklists of reviewers: what the study answers, and what only its authors can."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from ketadask.inference.checklists import checklist
from ketadask.report.findings import Findings
from ketadask.report.wording import Mask


def checklists(findings: Findings, mask: Mask) -> list[dict[str, Any]] | None:
    """Return a list of items and answers per instrument; None before there is a summary."""
    if not findings.summary:
        return None
    told = checklist(findings.summary, findings.settings)
    return [
        {
            "instrument": instrument,
            "items": [(item, None if answer is None else mask(answer)) for _, item, answer in rows],
            "open": sum(answer is None for _, _, answer in rows),
        }
        for instrument, rows in ((name, list(each)) for name, each in groupby(told, lambda t: t[0]))
    ]
