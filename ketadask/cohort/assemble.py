"""The cohort: one labelled table of cases, joined from everything a lab has kept.

The table does not depend on the order of rows or columns in any file: cases are sorted by
participant and period, features by family and natural order of their names.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketadask import names as nm
from ketadask.cohort.consort import consort_counts
from ketadask.cohort.feature_matrix import FAMILIES, drop_features, feature_matrix
from ketadask.cohort.harmonise import NONE, SITE
from ketadask.cohort.outcomes import (
    attach_outcome,
    contradictions,
    exclusion_table,
    improvement,
    infusions,
    outcome_values,
    washed_out,
)
from ketadask.features.feature_table import ABOUT, FeatureTable
from ketadask.features.meg.table import dataset_table
from ketadask.features.scales import demographic_features, place_visits, scale_features
from ketadask.features.volumes import RAW, volume_features
from ketadask.schema.datasets import COHORT
from ketadask.schema.errors import InputError, nearest
from ketadask.schema.tables import EXCLUSIONS
from ketadask.sources.visits import PERIODS


def assemble(
    *sources: pd.DataFrame | xr.Dataset | FeatureTable,
    participants: pd.DataFrame | None = None,
    outcome: str = "madrs",
    day: int = 7,
    window: int = 0,
    response_threshold: float = 0.4,
    groups: Sequence[str] | None = None,
    families: Sequence[str] | None = None,
    volumes: str = RAW,
    asymmetry: bool = False,
    factors: bool = False,
    harmonise: str = NONE,
    washout: int | None = None,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    max_missing: float = 0.2,
    max_missing_case: float = 0.5,
) -> xr.Dataset:
    """Join scales, volumes and other features on participant and period into a cohort.

    Parameters
    ----------
    sources
        What ``read_phenotype``, ``open_volumes`` and ``band_power`` return, and any
        ``FeatureTable``. Sessions of recordings are named as those of the scales.
    participants
        What ``read_participants`` returns; read beside the phenotype folder if None.
    outcome, day, window
        Scale, follow-up day after each infusion, and how many days off a visit may be.
    response_threshold
        Share of the baseline that must be gone to count as response.
    groups
        Groups of participants that belong to the study; all if None.
    families
        Families of features used; all if None.
    volumes
        ``raw`` mm3, or ``residual``: freed of intracranial volume, outcome-blind.
    asymmetry, factors
        Whether to add the asymmetries of the volumes and published factor sums of the scales.
    harmonise
        ``none``, or ``site``: volumes of all sites get one mean and spread, outcome-blind.
    washout
        Fewest days between the infusions; a second infusion earlier is left out.
    include, exclude
        Names of features, or patterns with ``*``; ``exclude`` wins.
    max_missing
        Largest share of cases in which a feature may be missing.
    max_missing_case
        Largest share of features a case may lack.

    Returns
    -------
    The cohort (``ketadask.schema.datasets.COHORT``): one case per participant and infusion; ``value`` holds
    what was known before that infusion. ``attrs["exclusions"]`` lists who was left out and why,
    ``attrs["dropped"]`` which features, ``attrs["findings"]`` which cells were wrong and
    ``attrs["flow"]`` how many were assessed, left out and analysed, as JSON.
    """
    phenotype, images, more, recordings = _by_kind(sources)
    people = _people(participants, phenotype)
    named = phenotype.attrs.get("visits", PERIODS)
    more += [dataset_table(r, visits=named, sequences=_sequences(people)) for r in recordings]
    if families is not None:
        _check_words("families", families, FAMILIES)
    chosen, left_out = _study_group(people, groups)
    cases, none_given = infusions(chosen)
    cases, too_early = washed_out(cases, chosen, washout)
    visits = _visits(phenotype, chosen, outcome)
    noted = [*people.attrs.get("findings", []), *phenotype.attrs.get("findings", [])]
    if not phenotype.attrs.get("placed"):  # read without the infusions, so nobody compared them
        noted += contradictions(visits, chosen)
    complete, no_outcome = attach_outcome(cases, visits, outcome=outcome, day=day, window=window)
    wanted = set(FAMILIES if families is None else families)
    tables = _clinical(phenotype, chosen, wanted, factors)
    no_volumes = exclusion_table([])
    if images is not None and nm.VOLUME in wanted:
        tables.append(_volumes(_studied(images, chosen), chosen, volumes, asymmetry, harmonise))
        complete, no_volumes = _with_volumes(complete, images)
    tables += [table for table in more if set(table.about["family"]) & wanted]
    value, about, dropped = feature_matrix(tables, complete, include, exclude)
    value, about, few = drop_features(value, about, max_missing)
    lacking = np.isnan(value).mean(axis=1) > max_missing_case if about.shape[0] else None
    complete, value, sparse = _drop_cases(complete, value, lacking, max_missing_case)
    exclusions = pd.concat([left_out, none_given, too_early, no_outcome, no_volumes, sparse])
    _need_cases(complete, exclusions, outcome, day)
    cohort = _dataset(complete, chosen, value, about, response_threshold)
    cohort.attrs = {
        "outcome": outcome,
        "day": day,
        "window": window,
        "response_threshold": response_threshold,
        "volumes": volumes,
        "exclusions": _as_json(exclusions),
        "flow": json.dumps(consort_counts(people, chosen, exclusions, complete)),
        "dropped": json.dumps(dropped | few, sort_keys=True),
        "findings": json.dumps(noted),
    }
    return COHORT.check(cohort)


def _by_kind(
    sources: Sequence[Any],
) -> tuple[pd.DataFrame, xr.Dataset | None, list[FeatureTable], list[xr.Dataset]]:
    phenotypes = [s for s in sources if isinstance(s, pd.DataFrame)]
    datasets = [s for s in sources if isinstance(s, xr.Dataset)]
    images = [s for s in datasets if nm.RECORDING not in s.dims]
    more = [s for s in sources if isinstance(s, FeatureTable)]
    known = len(phenotypes) + len(datasets) + len(more)
    if known < len(sources) or len(phenotypes) != 1 or len(images) > 1:
        raise InputError(
            "assemble takes one phenotype table, at most one dataset of volumes, and feature "
            "tables",
            where="sources",
            value=[type(s).__name__ for s in sources],
            remedy="pass what read_phenotype and open_volumes return",
        )
    recordings = [s for s in datasets if nm.RECORDING in s.dims]
    return phenotypes[0], (images[0] if images else None), more, recordings


def _people(participants: pd.DataFrame | None, phenotype: pd.DataFrame) -> pd.DataFrame:
    if participants is None:
        from ketadask.sources.participants import read_participants

        folder = phenotype.attrs.get("folder")
        if folder is None:
            raise InputError(
                "nobody took part",
                where="participants",
                remedy="pass what read_participants returns",
            )
        beside = [
            p for p in (Path(folder), Path(folder).parent) if (p / "participants.tsv").is_file()
        ]
        participants = read_participants(beside[0] if beside else Path(folder).parent)
    return participants.sort_values(nm.PARTICIPANT, ignore_index=True)


def _check_words(where: str, given: Sequence[str], known: Sequence[str]) -> None:
    for word in given:
        if word not in known:
            raise InputError("not known", where=where, value=word, remedy=nearest(word, known))


def _study_group(
    people: pd.DataFrame, groups: Sequence[str] | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if groups is None:
        return people, exclusion_table([])
    _check_words("groups", groups, sorted(set(people["group"])))
    inside = people["group"].isin(list(groups))
    rows = [
        (person, 0, f"group {group or 'n/a'} is not studied")
        for person, group in people.loc[~inside, [nm.PARTICIPANT, "group"]].itertuples(index=False)
    ]
    return people[inside].reset_index(drop=True), exclusion_table(rows)


def _visits(phenotype: pd.DataFrame, people: pd.DataFrame, outcome: str) -> pd.DataFrame:
    scored = phenotype[[nm.PARTICIPANT, "session", "period", nm.ARM, "day"]].copy()
    scored["outcome"] = outcome_values(phenotype, outcome)
    return place_visits(scored, _sequences(people))


def _sequences(people: pd.DataFrame) -> dict[str, str]:
    return dict(zip(people[nm.PARTICIPANT], people["sequence"], strict=True))


def _clinical(
    phenotype: pd.DataFrame, people: pd.DataFrame, wanted: set[str], factors: bool
) -> list[FeatureTable]:
    tables = []
    if nm.DEMOGRAPHIC in wanted:
        tables.append(demographic_features(people))
    if nm.SCALE in wanted:
        tables.append(scale_features(phenotype, _sequences(people), factors=factors))
    return tables


def _studied(images: xr.Dataset, people: pd.DataFrame) -> xr.Dataset:
    """Return the images of the study's participants: others have no say in a residual."""
    studied = np.isin(images[nm.PARTICIPANT].values, people[nm.PARTICIPANT].to_numpy(dtype=str))
    if not studied.any():
        raise InputError(
            "no participant of the study has volumes",
            where="volumes",
            value=str(images[nm.PARTICIPANT].values[0]),
            remedy=f"name them as in participants.tsv, for example {people[nm.PARTICIPANT][0]}",
        )
    return images.isel({nm.PARTICIPANT: studied})


def _volumes(
    images: xr.Dataset, people: pd.DataFrame, how: str, asymmetry: bool, harmonise: str
) -> FeatureTable:
    _check_words("harmonise", [harmonise], (NONE, SITE))
    table = volume_features(images, how=how, asymmetry=asymmetry)
    return harmonise(table, people) if harmonise == SITE else table


def _with_volumes(cases: pd.DataFrame, images: xr.Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    there = cases[nm.PARTICIPANT].isin(images[nm.PARTICIPANT].values.tolist())
    left_out = cases.loc[~there, [nm.PARTICIPANT, "period"]].assign(reason="no volumes")
    return cases[there].reset_index(drop=True), left_out


def _drop_cases(
    cases: pd.DataFrame, value: np.ndarray, lacking: np.ndarray | None, largest: float
) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    if lacking is None or not lacking.any():
        return cases, value, exclusion_table([])
    reason = f"more than {largest:.0%} of the features are missing"
    left_out = cases.loc[lacking, [nm.PARTICIPANT, "period"]].assign(reason=reason)
    return cases[~lacking].reset_index(drop=True), value[~lacking], left_out


def _need_cases(cases: pd.DataFrame, exclusions: pd.DataFrame, outcome: str, day: int) -> None:
    if len(cases):
        return
    reasons = exclusions["reason"].value_counts()
    why = f"; most often: {reasons.index[0]} ({reasons.iloc[0]})" if len(reasons) else ""
    raise InputError(
        f"no case is left with {outcome} at day {day}{why}",
        where="outcome",
        remedy="check the day, the names of sessions and the infusions in participants.tsv",
    )


def _dataset(
    cases: pd.DataFrame,
    people: pd.DataFrame,
    value: np.ndarray,
    about: pd.DataFrame,
    threshold: float,
) -> xr.Dataset:
    person = people.set_index(nm.PARTICIPANT).loc[cases[nm.PARTICIPANT]]
    baseline, followup = cases["baseline"].to_numpy(), cases["followup"].to_numpy()
    better, percent, response = improvement(baseline, followup, threshold)

    def words(values: Any) -> np.ndarray:
        return np.array([str(v) for v in values], dtype=np.str_)

    return xr.Dataset(
        {
            "value": ((nm.CASE, nm.FEATURE), value),
            "baseline": (nm.CASE, baseline),
            "followup": (nm.CASE, followup),
            "improvement": (nm.CASE, better),
            "percent": (nm.CASE, percent),
            "response": (nm.CASE, response),
        },
        {
            nm.PARTICIPANT: (nm.CASE, words(cases[nm.PARTICIPANT])),
            "period": (nm.CASE, cases["period"].to_numpy(dtype=np.int64)),
            nm.ARM: (nm.CASE, words(cases[nm.ARM])),
            **{name: (nm.CASE, words(person[name])) for name in ("sequence", "trial", "site")},
            nm.FEATURE: (nm.FEATURE, words(about.index)),
            **{name: (nm.FEATURE, words(about[name])) for name in ABOUT},
        },
    )


def _as_json(exclusions: pd.DataFrame) -> str:
    table = exclusions.astype({"period": np.int64, "reason": object, nm.PARTICIPANT: object})
    table = EXCLUSIONS.check(table.sort_values([nm.PARTICIPANT, "period"], ignore_index=True))
    return json.dumps(table.to_dict("records"))
