"""MEG in a study: measured once, shared by runs, broken recordings told and left out."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from ketadask.cli.checks import print_check
from ketadask.cluster.profile import Profile
from ketadask.config.study import read_study
from ketadask.pipeline.progress import Progress
from ketadask.schema.errors import InputError
from ketadask.simulate.study import simulate_study
from ketadask.store.run_folder import RunFolder
from ketadask.study.array import run_array_task
from ketadask.study.paths import RunPaths
from ketadask.study.power import size_of
from ketadask.study.problem import build_problem, quality_tables
from ketadask.study.run import StudyRun
from ketadask.study.study import Study

TEXT = """
name: meg
data: {folder: study}
features:
  modalities: [demographic, meg]
  include: [age, "meg_*"]
splits: {count: 2}
null: {relabellings: 19}
"""


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Return a study file beside a simulated study with recordings."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate_study(folder / "study", participants=6, meg_seconds=6.0)
    (folder / "study.yaml").write_text(TEXT)
    return folder


@pytest.fixture(scope="module")
def extracted(simulated, tmp_path_factory):
    """Return a copy of the study whose recordings are extracted, its cohort and the stage."""
    folder = tmp_path_factory.mktemp("extracted")
    shutil.copytree(simulated, folder, dirs_exist_ok=True)
    cohort, (stage,) = posed(folder)
    return folder, cohort, stage


@pytest.fixture
def study(simulated, tmp_path):
    """Return a copy of the study."""
    return shutil.copytree(simulated, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def extracted_study(extracted, tmp_path):
    """Return a copy of the study with the features of its recordings."""
    return shutil.copytree(extracted[0], tmp_path, dirs_exist_ok=True)


def posed(folder, *changes, out="runs", say=None):
    """Return the cohort of the study, and how its stages ended."""
    from ketadask.cluster.connect import connect

    settings = read_study(folder / "study.yaml", list(changes))
    place = RunPaths.of(settings, folder / out)
    progress = Progress()
    if say is not None:
        progress.print = say
    with connect(Profile(kind="synchronous")) as executor:
        run: RunFolder = place.open()
        work = StudyRun(place, run, progress, lambda stage: executor)
        return build_problem(work).cohort, work.results


def test_recordings_enter_the_cohort_and_are_shared_by_runs(extracted, extracted_study):
    study, (_, cohort, ended) = extracted_study, extracted
    names = cohort.dataset["feature"].values[cohort.dataset["modality"].values == "meg"]
    # In a few seconds most spectra have no peak beyond their error.
    assert len([name for name in names if "peak" not in name]) == 33
    assert (ended.total, ended.new, ended.present) == (12, 12, 0)
    (quality,) = (study / "runs").glob("meg-*/recordings.csv")
    assert len(quality.read_text().splitlines()) == 1 + 12
    _, (again,) = posed(study, "literals.cuts=4", "search.keep=7")
    assert (again.new, again.present) == (0, 12)


def test_new_participants_recompute_only_their_own_recordings(extracted_study):
    study = extracted_study
    more = simulate_study(study / "more", participants=8, meg_seconds=6.0)
    for path in (*more.glob("sub-*"), *more.glob("*.tsv"), *more.glob("phenotype")):
        target = study / "study" / path.name
        if path.name.startswith("sub-") and target.exists():
            continue  # an earlier participant: the recordings and their times do not change
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        path.rename(target)
    lines = []
    cohort, (recordings,) = posed(study, say=lines.append)
    assert (recordings.new, recordings.present) == (4, 12)
    (line,) = (line for line in lines if "unchanged" in line)
    assert line.startswith("recordings: features of 12 recordings are unchanged; 4 are new")
    assert len(set(cohort.dataset["participant"].values)) == 8
    fresh, (everything,) = posed(study, out="fresh")
    assert (everything.new, everything.present) == (16, 0)
    assert fresh.dataset.identical(cohort.dataset)


def test_repaired_results_include_the_tables_of_recordings(extracted_study):
    study = extracted_study
    (run,) = (RunFolder(path) for path in (study / "runs").glob("meg-*"))
    (run.path / "recordings.csv").write_text("")
    with run.lock():
        run.repair()
    assert quality_tables(run) is None
    _, (recordings,) = posed(study)
    assert (recordings.new, recordings.present) == (0, 12)
    assert len(quality_tables(run)["quality"]) == 12


def test_the_first_task_of_an_array_extracts_all_recordings(study):
    one = Study.read(
        study / "study.yaml", changes=["null.calibration_studies=0"], out=study / "runs"
    )
    one = replace(one, profile=Profile(kind="synchronous"))
    stages = {stage.name: stage for stage in run_array_task(one, 1, 2).stages}
    recordings = stages["recordings"]
    assert (recordings.total, recordings.new, recordings.present) == (12, 12, 0)
    assert stages["search"].total == 1


def test_a_broken_recording_is_told_and_the_others_are_used(study):
    path = next((study / "study").glob("sub-*/ses-p1d0/meg/*.fif"))
    path.write_bytes(path.read_bytes()[:50_000])
    cohort, (ended,) = posed(study, "features.max_missing=0.5")
    assert ended.complete
    (finding,) = cohort.findings
    assert finding["where"] == "recordings"
    assert "cut off" in finding["problem"]
    assert finding["file"] == path.name.removesuffix("_meg.fif")
    (run,) = (study / "runs").glob("meg-*")
    told = quality_tables(RunFolder(run))
    assert told["failures"]["reason"].item().startswith(f"{path.name}: ")
    assert set(told["spectra"]["recording"]) == set(told["quality"]["recording"])
    assert len(told["quality"]) == 11


def test_check_reads_no_recording_and_counts_what_will_be_measured(study):
    asked = Study.read(study / "study.yaml", out=study / "runs")
    found = asked.check()
    assert found.files > 8
    counted = found.modalities.set_index("modality")["features"]
    assert counted.to_dict() == {"demographic": 1, "meg": 36}
    assert found.excluded_features == {}
    assert size_of(asked) == (found.units, 37)
    assert not (study / "runs" / "recordings").exists()


def test_a_study_without_recordings_says_how_they_are_named(tmp_path):
    simulate_study(tmp_path / "study", participants=4)
    (tmp_path / "study.yaml").write_text(TEXT)
    with pytest.raises(InputError, match="task: the study has no such recording, found 'rest'"):
        posed(tmp_path)


def test_recordings_that_are_too_short_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"meg_seconds: cannot be recorded, found 1\.0; choose"):
        simulate_study(tmp_path / "study", participants=2, meg_seconds=1.0)


def test_check_names_the_recordings_that_will_be_left_out(study, capsys):
    path, other = sorted((study / "study").glob("sub-*/ses-p1d0/meg/*.fif"))[:2]
    path.write_bytes(path.read_bytes()[:50_000])
    other.unlink()
    other.symlink_to(study / "gone")
    asked = Study.read(study / "study.yaml", out=study / "runs")
    found = asked.check()
    assert found.recordings == 12
    stems = [each.name.removesuffix("_meg.fif") for each in (path, other)]
    assert list(found.unusable) == stems
    assert found.unusable[stems[0]] == f"{path}: the recording is cut off; copy it again"
    print_check(found)
    assert "Excluded recordings (of 12): 2" in capsys.readouterr().out
