"""Whatever a study reads identifies it: a changed file is never answered with an old result."""

from __future__ import annotations

import json
import re

import pytest

from ketadask.config.study import read_study
from ketadask.simulate.study import simulate_study
from ketadask.sources.fs_tables import TABLE_ENDINGS
from ketadask.study.from_settings import read_cohort
from ketadask.study.paths import identity


@pytest.fixture
def place(tmp_path):
    simulate_study(tmp_path / "study", participants=11)
    return tmp_path


def asked(place, data="", modalities="[scale]"):
    path = place / "study.yaml"
    path.write_text(
        f"name: a\ndata: {{folder: study{data}}}\nfeatures: {{modalities: {modalities}}}\n"
    )
    return read_study(path)


def improved(path):
    """Set the total of the first follow-up at day 7 to nought."""
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    row = next(row for row in rows if row[1] == "ses-p1d7")
    row[2:] = ["0"] * len(row[2:])
    path.write_text("".join("\t".join(row) + "\n" for row in rows))


@pytest.mark.parametrize("flat", [False, True])
def test_scales_count_wherever_they_are_read(place, flat):
    folder = place / "study" / "phenotype"
    if flat:
        for path in folder.iterdir():
            path.rename(place / "study" / path.name)
        folder.rmdir()
        folder = place / "study"
    settings = asked(place)
    cohort, before = read_cohort(settings, place / "study"), identity(settings, place)
    improved(folder / "madrs.tsv")
    assert not read_cohort(settings, place / "study").dataset.identical(cohort.dataset)
    assert identity(settings, place) != before


def test_a_plain_table_may_lie_elsewhere(place):
    table = place / "bdi.csv"
    table.write_text("participant_id,bdi_total\n")
    settings = asked(place, f", tables: [{{file: {table}}}]")
    before = identity(settings, place)
    table.write_text("participant_id,bdi_total\nsub-K00001,3\n")
    assert identity(settings, place) != before


@pytest.mark.parametrize("ending", TABLE_ENDINGS)
def test_volumes_count_whatever_their_tables_are_called(place, ending):
    folder = place / "study" / "derivatives" / "freesurfer"
    table = (folder / "aseg.volume.tsv").rename(folder / f"aseg{ending}")
    if ending == ".csv":
        table.write_text(table.read_text().replace("\t", ","))
    first = table.read_text().splitlines()[1]
    settings = asked(place, modalities="[volume]")
    cohort, before = read_cohort(settings, place / "study"), identity(settings, place)
    other = re.sub(r"[\t,]", lambda found: f"{found[0]}9", first, count=1)
    table.write_text(table.read_text().replace(first, other))
    assert not read_cohort(settings, place / "study").dataset.identical(cohort.dataset)
    assert identity(settings, place) != before


def test_what_recordings_are_read_with_counts(place):
    settings = asked(place, modalities="[meg]")
    anatomy = "derivatives/mne/sub-K00001/meg/sub-K00001_"
    for path in (
        *("task-rest_meg.json", "sub-K00001/sub-K00001_task-rest_meg.json"),
        *(f"{anatomy}fwd.fif", f"{anatomy[:-1]}-fwd.fif", f"{anatomy}parcels.tsv"),
    ):
        before = identity(settings, place)
        (place / "study" / path).parent.mkdir(exist_ok=True, parents=True)
        (place / "study" / path).write_text(json.dumps({"PowerLineFrequency": 50}))
        assert identity(settings, place) != before
