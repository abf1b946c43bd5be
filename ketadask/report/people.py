"""Who is in the study: flow and exclusions with reasons, and what was not measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from ketadask import names as nm
from ketadask.report.findings import Findings
from ketadask.report.wording import DESIGNS, Mask, design, unit_word


def flow(findings: Findings, mask: Mask, identifiers: bool) -> dict[str, Any] | None:
    """Return the counts from assessed to searched, with the reasons of exclusion between."""
    cohort, units = findings.cohort, findings.units
    if cohort is None and units is None:
        return None
    excluded = findings.excluded()
    reasons, listed, outside = [], [], set()
    if excluded is not None and len(excluded):
        told = excluded.assign(reason=[mask(r) for r in excluded["reason"]])
        for reason, rows in told.groupby("reason", sort=True):
            count = rows["participant"].nunique()
            reasons.append({"reason": reason, "participants": int(count), "rows": len(rows)})
        reasons.sort(key=lambda r: (-r["participants"], r["reason"]))
        outside = set(map(str, excluded["participant"]))
        if identifiers:
            listed = excluded.to_dict("records")
    inside = set() if cohort is None else set(map(str, cohort[nm.PARTICIPANT].values))
    return {
        "assessed": len(inside | outside) if cohort is not None else None,
        "reasons": reasons,
        "listed": listed,
        "excluded_known": excluded is not None,
        "participants": len(inside) if cohort is not None else None,
        "cases": None if cohort is None else cohort.sizes[nm.CASE],
        "arms": None if cohort is None else _arms(cohort[nm.ARM].values),
        "units": None if units is None else units.sizes[nm.UNIT],
        "unit_word": unit_word(findings, 2),
        "design": design(findings),
        "design_words": DESIGNS.get(design(findings), ""),
    }


def _arms(arm: np.ndarray) -> list[tuple[str, int]]:
    return [(name, int((arm == name).sum())) for name in nm.ARMS]


def missingness(findings: Findings) -> dict[str, Any] | None:
    """Return per family of features how much is missing, and where most."""
    dataset = findings.features
    if dataset is None:
        return None
    rows = "units" if findings.units is not None else "cases"
    absent = np.isnan(np.asarray(dataset["value"].values, float))
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
    return {"families": families, "rows": rows, "count": absent.shape[0]}
