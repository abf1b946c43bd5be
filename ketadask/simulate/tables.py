"""The tables of a study folder: which columns, which rows, which descriptions."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ketadask.simulate.folder import Table, write_json
from ketadask.simulate.participants import People
from ketadask.simulate.scale_models import NDA_NAMES, SCALE_MODELS, ScaleModel
from ketadask.simulate.trial import DAY, FOLLOW_UPS
from ketadask.simulate.volumes import HEAD_SIZE, regions

_BETWEEN_INFUSIONS = 14
_FIRST_DAY = np.datetime64("2005-01-03")
_DAYS_OF_ENROLMENT = 3_000
GLOBAL_VOLUMES = ("BrainSegVolNotVent", HEAD_SIZE)
# aparc tables call head size by another name; wmparc tables lack the brain's volume.
_VOLUME_TABLES = {
    "lh.aparc": ("lh.aparc.volume", GLOBAL_VOLUMES, {HEAD_SIZE: "eTIV"}),
    "rh.aparc": ("rh.aparc.volume", GLOBAL_VOLUMES, {HEAD_SIZE: "eTIV"}),
    "aseg": ("Measure:volume", GLOBAL_VOLUMES, {}),
    "wmparc": ("Measure:volume", (HEAD_SIZE,), {}),
}
_NDA_RECORD = {
    "subjectkey": "The NDAR Global Unique Identifier (GUID) for research subject",
    "src_subject_id": "Subject ID how it's defined in lab/project",
    "interview_date": "Date on which the interview was completed. MM/DD/YYYY",
    "interview_age": "Age in months at the time of the interview",
    "sex": "Sex of subject at birth",
    "visit": "Visit name: p = period, d = days after its infusion",
}


@dataclass(frozen=True, eq=False)
class Slice:
    """A block of participants; every array begins with (participant,).

    ``attendance`` is bool (participant, period, visit); ``ratings`` holds, per scale,
    (participant, period, visit of the scale, column).
    """

    index: np.ndarray
    active_first: np.ndarray
    has_second: np.ndarray
    attendance: np.ndarray
    trial: np.ndarray
    site: np.ndarray
    people: People
    ratings: dict[str, np.ndarray]

    def first(self, count: int) -> Slice:
        """Return the first ``count`` participants."""
        arrays = ("index", "active_first", "has_second", "attendance", "trial", "site")
        return replace(
            self,
            **{name: getattr(self, name)[:count] for name in arrays},
            people=People(**{name: rows[:count] for name, rows in vars(self.people).items()}),
            ratings={name: rows[:count] for name, rows in self.ratings.items()},
        )

    @property
    def has_pair(self) -> np.ndarray:
        """(participant,) whether day 7 was attended after both infusions."""
        day = 1 + FOLLOW_UPS.index(DAY)
        return np.asarray(self.attendance[:, :, day].all(axis=1))

    @property
    def ids(self) -> np.ndarray:
        """(participant,) BIDS names."""
        return np.char.add("sub-K", np.char.zfill((self.index + 1).astype(str), 5))


def _visit_names(scale: ScaleModel) -> np.ndarray:
    return np.array([[f"ses-p{period}d{day}" for day in scale.days] for period in (1, 2)])


class StudyTables:
    """All tables of a study folder, open for more participants.

    Parameters
    ----------
    folder
        The study folder.
    layout
        ``bids``, ``nda`` or ``both``: where the scales go.
    files
        Closes the tables.
    rank
        (region,) ranks of the columns of the brain volumes; FreeSurfer's order by default.
    """

    def __init__(
        self, folder: Path, layout: str, files: ExitStack, rank: np.ndarray | None = None
    ) -> None:
        self._folder, self._bids, self._nda = folder, layout != "nda", layout != "bids"
        self._participants = files.enter_context(
            Table(folder / "participants.tsv", list(_PARTICIPANTS))
        )
        derivatives = folder / "derivatives" / "freesurfer"
        self._volumes = {
            name: (columns, files.enter_context(Table(derivatives / f"{name}.volume.tsv", header)))
            for name, (header, columns) in _volume_columns(rank).items()
        }
        self._scales = {}
        if self._bids:
            for scale in SCALE_MODELS:
                header = ["participant_id", "session_id", *scale.columns]
                path = folder / "phenotype" / f"{scale.name}.tsv"
                self._scales[scale.name] = files.enter_context(Table(path, header))
        self._archive = {}
        if self._nda:
            for scale in SCALE_MODELS:
                path = folder / "nda" / f"{scale.name}01.txt"
                header = [*_NDA_RECORD, *NDA_NAMES.get(scale.name, scale.columns)]
                descriptions = [*_NDA_RECORD.values(), *_descriptions(scale)]
                table = Table(path, header, descriptions=descriptions, missing="-999")
                self._archive[scale.name] = files.enter_context(table)

    def write(self, part: Slice) -> None:
        """Append participants to every table."""
        self._write_participants(part)
        for columns, table in self._volumes.values():
            table.write(part.ids, part.people.volume[:, columns])
        for scale in SCALE_MODELS:
            visit = [0, *(1 + FOLLOW_UPS.index(day) for day in scale.days[1:])]
            who, period, day = np.nonzero(part.attendance[:, :, visit])
            values = part.ratings[scale.name][who, period, day]
            names = _visit_names(scale)[period, day]
            if self._bids:
                self._scales[scale.name].write(part.ids[who], names, values)
            if self._nda:
                after = period * _BETWEEN_INFUSIONS + np.array(scale.days)[day]
                record = _nda_record(part, who, after)
                self._archive[scale.name].write(*record, names, values)

    def _write_participants(self, part: Slice) -> None:
        first = np.where(part.active_first, "d", "p")
        second = np.where(part.active_first, "p", "d")
        people = part.people
        self._participants.write(
            part.ids,
            people.age.astype(int),
            np.where(people.male, "M", "F"),
            people.bmi,
            np.full(len(part.ids), "MDD"),
            first,
            np.where(part.has_second, second, "n/a"),
            np.char.add("trial-", (part.trial + 1).astype(str)),
            np.char.add("site-", (part.site + 1).astype(str)),
        )

    def describe(self, name: str, made_by: str) -> None:
        """Write the descriptions that BIDS requires beside the tables."""
        tool = {"Name": "ketadask", "Version": made_by}
        write_json(
            self._folder / "dataset_description.json",
            {
                "Name": name,
                "BIDSVersion": "1.9.0",
                "DatasetType": "raw",
                "License": "CC0",
                "GeneratedBy": [tool],
            },
        )
        write_json(self._folder / "participants.json", _PARTICIPANTS)
        (self._folder / "README").write_text(_README.format(name=name), encoding="utf-8")
        write_json(
            self._folder / "derivatives" / "freesurfer" / "dataset_description.json",
            {
                "Name": f"{name}: FreeSurfer volumes",
                "BIDSVersion": "1.9.0",
                "DatasetType": "derivative",
                "GeneratedBy": [tool],
            },
        )
        for scale in SCALE_MODELS if self._bids else ():
            write_json(self._folder / "phenotype" / f"{scale.name}.json", _sidecar(scale))


def _volume_columns(rank: np.ndarray | None = None) -> dict[str, tuple[list[str], list[int]]]:
    """Header and columns of every FreeSurfer table, globals at the end as FreeSurfer puts them."""
    model, tables = regions(), {}
    for name, (corner, last, aliases) in _VOLUME_TABLES.items():
        own = [
            region for region, table in zip(model.name, model.table, strict=True) if table == name
        ]
        if rank is not None:
            own.sort(key=lambda region: rank[model.column(region)])
        names = [*own, *last]
        header = [corner, *(aliases.get(region, region) for region in names)]
        tables[name] = header, [model.column(region) for region in names]
    return tables


def _descriptions(scale: ScaleModel) -> list[str]:
    items = [f"{i + 1}. {item}" for i, item in enumerate(scale.items)]
    return [*items, f"{scale.title}: total score"]


def _sidecar(scale: ScaleModel) -> dict[str, object]:
    columns: dict[str, object] = {
        "MeasurementToolMetadata": {"Description": scale.title},
        "participant_id": {"Description": "Participant"},
        "session_id": {
            "Description": "Visit",
            "Levels": {
                f"ses-p{period}d{day}": f"{word} infusion, " + (f"day {day}" if day else "baseline")
                for period, word in ((1, "first"), (2, "second"))
                for day in scale.days
            },
        },
    }
    descriptions = zip(scale.columns, _descriptions(scale), strict=True)
    for (column, text), highest in zip(descriptions, (*scale.maxima, 0), strict=True):
        if highest:
            levels = {str(scale.lowest + k): scale.words[k] for k in range(highest + 1)}
            columns[column] = {"Description": text, "Levels": levels}
        else:
            remark = "As entered by the rater, also where an item is n/a"
            columns[column] = {"Description": text, "Remark": remark}
    return columns


def _nda_record(part: Slice, who: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, ...]:
    index = part.index[who]
    key = np.char.add("NDAR_INVK", np.char.zfill((index + 1).astype(str), 7))
    date = _FIRST_DAY + (index % _DAYS_OF_ENROLMENT) + after
    text = np.datetime_as_string(date)
    american = np.array([f"{day[5:7]}/{day[8:10]}/{day[:4]}" for day in text])
    months = part.people.age[who].astype(int) * 12 + index % 12
    return key, part.ids[who], american, months, np.where(part.people.male[who], "M", "F")


_PARTICIPANTS = {
    "participant_id": {"Description": "Participant"},
    "age": {"Description": "Age at the first infusion", "Units": "years"},
    "sex": {"Description": "Sex", "Levels": {"M": "Male", "F": "Female"}},
    "bmi": {"Description": "Body mass index", "Units": "kg/m^2"},
    "group": {"Description": "Diagnosis", "Levels": {"MDD": "major depressive disorder"}},
    "infusion_1": {
        "Description": "The first infusion",
        "Levels": {"d": "Ketamine, 0.5 mg/kg", "p": "Saline", "n/a": "Not given"},
    },
    "infusion_2": {
        "Description": "The second infusion",
        "Levels": {"d": "Ketamine, 0.5 mg/kg", "p": "Saline", "n/a": "Not given"},
    },
    "trial": {"Description": "Trial the participant belongs to"},
    "site": {"Description": "Site (scanner) within the trial"},
}

_README = """{name}

Simulated by ketadask: no participant is real. Adults with depression receive ketamine (0.5 mg/kg)
and saline, in random order, two weeks apart. truth.json describes the planted effects.
"""
