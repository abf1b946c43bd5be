"""Whatever a study reads identifies it: a changed file is never answered with an old result."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from ketadask.config.study import read_study
from ketadask.pipeline.progress import Progress
from ketadask.schema.errors import InputError
from ketadask.simulate.study import simulate_study
from ketadask.sources.region_tables import TABLE_ENDINGS
from ketadask.study.from_settings import read_cohort
from ketadask.study.paths import RunPaths
from ketadask.study.problem import build_problem
from ketadask.study.study import Study


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
    cohort, before = read_cohort(settings, place / "study"), RunPaths.of(settings, place).identity
    improved(folder / "madrs.tsv")
    assert not read_cohort(settings, place / "study").dataset.identical(cohort.dataset)
    assert RunPaths.of(settings, place).identity != before


def test_a_plain_table_may_lie_elsewhere(place):
    table = place / "bdi.csv"
    table.write_text("participant_id,bdi_total\n")
    settings = asked(place, f", tables: [{{file: {table}}}]")
    before = RunPaths.of(settings, place).identity
    table.write_text("participant_id,bdi_total\nsub-K00001,3\n")
    assert RunPaths.of(settings, place).identity != before


@pytest.mark.parametrize("ending", TABLE_ENDINGS)
def test_volumes_count_whatever_their_tables_are_called(place, ending):
    folder = place / "study" / "derivatives" / "freesurfer"
    table = (folder / "aseg.volume.tsv").rename(folder / f"aseg{ending}")
    if ending == ".csv":
        table.write_text(table.read_text().replace("\t", ","))
    first = table.read_text().splitlines()[1]
    settings = asked(place, modalities="[volume]")
    cohort, before = read_cohort(settings, place / "study"), RunPaths.of(settings, place).identity
    other = re.sub(r"[\t,]", lambda found: f"{found[0]}9", first, count=1)
    table.write_text(table.read_text().replace(first, other))
    assert not read_cohort(settings, place / "study").dataset.identical(cohort.dataset)
    assert RunPaths.of(settings, place).identity != before


def test_what_recordings_are_read_with_counts(place):
    settings = asked(place, modalities="[meg]")
    anatomy = "derivatives/mne/sub-K00001/meg/sub-K00001_"
    for path in (
        *("task-rest_meg.json", "sub-K00001/sub-K00001_task-rest_meg.json"),
        *(f"{anatomy}fwd.fif", f"{anatomy[:-1]}-fwd.fif", f"{anatomy}parcels.tsv"),
    ):
        before = RunPaths.of(settings, place).identity
        (place / "study" / path).parent.mkdir(exist_ok=True, parents=True)
        (place / "study" / path).write_text(json.dumps({"PowerLineFrequency": 50}))
        assert RunPaths.of(settings, place).identity != before


def test_processed_recordings_count_where_the_study_uses_them(place):
    settings = asked(place, ", derivative: cleaned", modalities="[meg]")
    raw, cleaned = (
        place / "study" / folder / "sub-K00001" / "meg" / "sub-K00001_task-rest_meg.fif"
        for folder in (".", "derivatives/cleaned")
    )
    paths = RunPaths.of(settings, place)
    raw.parent.mkdir(parents=True)
    raw.write_text("not used")
    assert RunPaths.of(settings, place).identity == paths.identity
    cleaned.parent.mkdir(parents=True)
    cleaned.write_text("a recording")
    assert RunPaths.of(settings, place).identity != paths.identity
    with pytest.raises(InputError, match="an input changed"):
        paths.require_unchanged_inputs()


def test_a_file_that_changes_inside_a_recording_is_noticed(place):
    settings = asked(place, modalities="[meg]")
    recording = place / "study" / "sub-K00001" / "meg" / "sub-K00001_task-rest_meg.ds"
    recording.mkdir(parents=True)
    (recording / "sub-K00001.meg4").write_text("field")
    paths = RunPaths.of(settings, place)
    (recording / "sub-K00001.meg4").write_text("other")
    with pytest.raises(InputError, match=r"meg4: an input changed"):
        paths.require_unchanged_inputs()


def test_an_input_that_changes_between_hash_and_reading_ends_the_run(place):
    """The results would have the key of the former content, even if it comes back."""
    table = place / "study" / "phenotype" / "bdi.tsv"
    content = table.read_text()

    class Editor(io.StringIO):
        def write(self, text: str) -> int:
            if "reading the tables" in text:
                improved(table)
            return super().write(text)

    asked(place)
    progress = Progress(Console(file=Editor(), width=200))
    study = Study.read(place / "study.yaml", out=place / "runs", progress=progress)
    with pytest.raises(InputError, match=r"bdi\.tsv: an input changed .*; run again"):
        study.extract()
    assert not (study.paths.path / "cohort.zarr").exists()
    former = study.paths
    table.write_text(content)
    with pytest.raises(InputError, match="an input changed"):
        former.require_unchanged_inputs()
    quiet = replace(study, progress=Progress(Console(file=io.StringIO())))
    assert (quiet.extract().folder / "cohort.zarr").is_dir()


def test_provenance_names_the_hashes_of_the_content_that_was_read(place):
    asked(place)
    progress = Progress(Console(file=io.StringIO()))
    study = Study.read(place / "study.yaml", out=place / "runs", progress=progress)
    before = study.paths.inputs.hashes["phenotype/bdi.tsv"]
    with study.open_run() as work:
        build_problem(work)
        improved(place / "study" / "phenotype" / "bdi.tsv")
    provenance = json.loads((work.folder.path / "provenance.json").read_text())
    assert provenance["inputs"]["phenotype/bdi.tsv"] == before
