"""What each column of the tables of a study is used for, and why others are not used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ketadask.schema import roles as r
from ketadask.schema.phenotype import Participants, Phenotype

NO_USE = "not used"
_NO_USES = (r.NO_USE, r.TEXT, r.DATE, r.CONSTANT, r.ROW, r.FOLLOW_UP)


def column_uses(
    participants: Participants,
    phenotype: Phenotype,
    features: Iterable[str],
    drop_reasons: Mapping[str, str],
) -> list[dict[str, str]]:
    """Return file, column, use and reason of every column of the tables of participants and scores.

    Parameters
    ----------
    participants, phenotype
        What the readers return.
    features
        Features of the cohort.
    drop_reasons
        Reasons of the features that are not in the cohort.
    """
    names = set(features)
    in_use = {name.partition(" = ")[0].lower() for name in names} | {n.lower() for n in names}
    rows = []
    file = Path(participants.file or "participants").name
    for entry in participants.columns:
        use, reason = entry.role, entry.reason
        if entry.role in _NO_USES:
            use, reason = NO_USE, f"{entry.reason}" + _remedy(entry)
        elif entry.role in (r.FEATURE, r.CATEGORY) and not _has_use(entry.column, in_use):
            use = NO_USE
            reason = _drop_reason(entry.column, drop_reasons)
        elif entry.role == r.CATEGORY:
            use = r.FEATURE
        rows.append({"file": file, "column": entry.column, "use": use, "reason": reason})
    if participants.scales is None:
        scales = ", ".join(Path(path).name for path in phenotype.files)
        for name in phenotype.labels:
            in_cohort = name.lower() in in_use
            reason = "" if in_cohort else _drop_reason(name, drop_reasons)
            use = "score, feature" if in_cohort else "score"
            own = [f.name for f in map(Path, phenotype.files) if name.startswith(f"{f.stem}_")]
            rows.append(
                {"file": "".join(own) or scales, "column": name, "use": use, "reason": reason}
            )
        for name in phenotype.ignored:
            reason = "holds no numbers, or is to be ignored"
            rows.append({"file": scales, "column": name, "use": NO_USE, "reason": reason})
    return rows


def _has_use(column: str, in_use: set[str]) -> bool:
    name = column.lower()
    name = {"gender": "sex", "height": "bmi", "weight": "bmi"}.get(name.partition("_")[0], name)
    return name in in_use or column.lower() in in_use


def _drop_reason(column: str, drop_reasons: Mapping[str, str]) -> str:
    own = [
        f"{name}: {reason}" if name != column else reason
        for name, reason in drop_reasons.items()
        if name.lower() == column.lower() or name.startswith(f"{column} = ")
    ]
    return "; ".join(own) or "excluded by features.modalities, include or exclude"


def _remedy(entry: r.ColumnRole) -> str:
    return f"; it may be {' or '.join(entry.alternatives)}" if entry.alternatives else ""
