"""Who is in the study: flow and exclusions with reasons, and what was not measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.report.labels import DESIGNS, Mask, design, unit_word
from ketadask.report.report_data import ReportData

if TYPE_CHECKING:
    import pandas as pd


def flow_view(findings: ReportData, mask: Mask, identifiers: bool) -> dict[str, Any] | None:
    """Return the counts from assessed to searched, with the reasons of exclusion between.

    An exclusion stands before the cohort when the cohort has no such case, and between the
    cohort and the search when it has.
    """
    cohort, units = findings.cohort, findings.units
    if cohort is None and units is None:
        return None
    excluded = findings.excluded()
    inside: set[str] = set()
    cases: set[tuple[str, int]] = set()
    if cohort is not None:
        who = [str(p) for p in cohort[nm.PARTICIPANT].values]
        inside, cases = set(who), set(zip(who, cohort["period"].values.tolist(), strict=True))
    before = after = None
    if excluded is not None:
        rows = zip(excluded["participant"].map(str), excluded["period"], strict=True)
        late = np.array([(w, p) in cases or (p == 0 and w in inside) for w, p in rows], bool)
        before, after = _reasons(excluded[~late], mask), _reasons(excluded[late], mask)
    outside = set() if excluded is None else set(map(str, excluded["participant"]))
    return {
        "assessed": len(inside | outside) if cohort is not None else None,
        "before": before,
        "after": after,
        "listed": excluded.to_dict("records") if identifiers and excluded is not None else [],
        "participants": len(inside) if cohort is not None else None,
        "cases": None if cohort is None else cohort.sizes[nm.CASE],
        "arms": None if cohort is None else _arms(cohort[nm.ARM].values),
        "units": None if units is None else units.sizes[nm.UNIT],
        "unit_word": unit_word(findings, 2),
        "design": design(findings),
        "design_words": DESIGNS.get(design(findings), ""),
    }


def _reasons(excluded: pd.DataFrame, mask: Mask) -> list[dict[str, Any]]:
    """Return each reason with the number of participants it took something from."""
    told = excluded.assign(reason=[mask(r) for r in excluded["reason"]])
    reasons = [
        {"reason": reason, "participants": int(rows["participant"].nunique())}
        for reason, rows in told.groupby("reason", sort=True)
    ]
    return sorted(reasons, key=lambda r: (-r["participants"], r["reason"]))


def _arms(arm: np.ndarray) -> list[tuple[str, int]]:
    return [(name, int((arm == name).sum())) for name in nm.ARMS]


def missingness(findings: ReportData) -> dict[str, Any] | None:
    """Return per family of features how much is missing, and where most; None of nobody."""
    dataset = findings.features
    if dataset is None:
        return None
    absent = np.isnan(np.asarray(dataset["value"].values, float))
    if not len(absent):
        return None
    family = np.asarray(dataset["family"].values).astype(str)
    label = np.asarray(dataset["label"].values).astype(str)
    families = []
    for name in sorted(set(family)):
        part = absent[:, family == name]
        share = part.mean(axis=0)
        worst = int(share.argmax())
        families.append(
            {
                "family": name,
                "features": part.shape[1],
                "complete": int((share == 0).sum()),
                "share": float(part.mean()),
                "worst": label[family == name][worst] if share[worst] > 0 else "",
                "worst_share": float(share[worst]),
            }
        )
    one_per_unit = findings.units is not None
    return {
        "families": families,
        "rows": unit_word(findings, 2) if one_per_unit else "cases",
        "count": absent.shape[0],
    }
