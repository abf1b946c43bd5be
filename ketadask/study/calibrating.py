"""The whole resampling study on relabelled trials: what recurrence and votes are under noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ketadask import names as nm
from ketadask.study.stages import count, gates_of

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.store import Parts, RunFolder
    from ketadask.study.blocks import Ended
    from ketadask.study.problems import Asked
    from ketadask.study.work import Work

RECURRENCE, CURVE, EXPLAINED_NULL = "recurrence.parquet", "risk_null.parquet", "explained.json"
RISK = "risk_coverage.parquet"
_LISTED = 100


def study_splits(work: Work, asked: Asked) -> int:
    """Return how many splits each relabelled study has: the first ones of the study itself."""
    return min(work.settings.null.study_splits, asked.splitter.n_splits)


def relabelled_studies(work: Work, asked: Asked) -> list[Ended]:
    """Make the relabelled studies that are missing; nothing where none is asked for."""
    from ketadask.inference.graph import calibration_blocks

    null = work.settings.null
    if not null.studies:
        return []
    parts, splits = _parts(work, asked), study_splits(work, asked)
    ended = work.finish(
        "calibrate",
        "relabelled studies",
        total=null.studies,
        parts=parts,
        graph=lambda ranges: calibration_blocks(
            asked.problem,
            asked.search,
            asked.splitter,
            ranges,
            parts,
            n_splits=splits,
            gates=gates_of(work),
            use=work.settings.gates.use,
            seed=work.settings.seed,
            how=null.how,
        ),
    )
    return [ended]


def _parts(work: Work, asked: Asked) -> Parts:
    return work.place.calibrations(study_splits(work, asked))


def calibrate(work: Work, asked: Asked) -> dict[str, Any]:
    """Hold recurrence and votes of the first splits against the relabelled studies.

    Writes the most recurrent personas with their calibrated p, and the curve of accuracy against
    coverage with that of the relabelled studies; returns the numbers for the summary.
    """
    from ketadask.inference.calibration import calibrated_p, explained_against_null, recurrent
    from ketadask.inference.explained import count_votes
    from ketadask.inference.stability import passes

    studies, use = work.settings.null.studies, work.settings.gates.use
    for name in (RECURRENCE, CURVE, EXPLAINED_NULL):
        (work.run.path / name).unlink(missing_ok=True)
    if not studies:
        return {}
    splits, parts = study_splits(work, asked), _parts(work, asked)
    count(work, "calibrate", "relabelled studies", parts, studies)
    null = {
        name: _below(parts.read_all(name, studies), studies) for name in ("votes", "recurrence")
    }
    hits = work.place.hits().read_all("hits", splits)
    order = ["split", "polarity", "rank"]
    hits = hits[hits["split"] < splits].sort_values(order, ignore_index=True)
    passed = passes(hits, nm.TRAIN, use)
    votes = count_votes(asked.problem, asked.splitter, hits, passed, (0, splits - 1))
    told = explained_against_null(votes, asked.problem.trial.score, null["votes"])
    curve = told.pop("curve")
    rates = recurrent(hits, use, splits).head(_LISTED)
    rates["p_calibrated"] = calibrated_p(rates, null["recurrence"])
    work.run.write_table(RECURRENCE, rates)
    work.run.write_table(CURVE, curve)
    numbers = {"splits": splits, **told}
    work.run.write_json(EXPLAINED_NULL, numbers)
    best = rates.iloc[0] if len(rates) else None
    return {
        "explained": numbers,
        "recurrence": {
            "splits": splits,
            "relabelled": studies,
            "highest": None if best is None else float(best["recurrence"]),
            "p": None if best is None else float(best["p_calibrated"]),
        },
    }


def _below(table: pd.DataFrame, count: int) -> pd.DataFrame:
    return table[table["relabelling"] < count].sort_values(
        ["relabelling", "unit" if "unit" in table else "polarity"], ignore_index=True
    )


def risk_tables(run: RunFolder) -> dict[str, Any]:
    """Return what the report shows of accuracy against coverage, its null where there is one."""
    if not run.has(CURVE):
        return {"risk coverage": run.read_table(RISK)}
    return {**run.read_json(EXPLAINED_NULL), "risk coverage": run.read_table(CURVE)}
