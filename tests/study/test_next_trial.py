"""From a run to the next trial: lock, apply, confirm."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

import ketadask as kd
from ketadask.cli.app import app
from ketadask.cluster.profile import Profile
from ketadask.inference.trial_assumptions import TrialAssumptions
from ketadask.pipeline.progress import Progress
from ketadask.predict.classifier_data import classifier_data
from ketadask.predict.classifiers import Classifier
from ketadask.predict.folds import NestedFolds
from ketadask.predict.locked import lock_model
from ketadask.predict.nested import NestedCV
from ketadask.store.run_folder import RunFolder
from ketadask.study.lock import lock_run
from ketadask.study.plan import plan_next_trial
from ketadask.study.screening import apply_persona
from ketadask.study.study import Study
from tests.study.test_discover import trial as trial_table

STUDY = """
name: {name}
seed: 3
data: {{folder: {folder}}}
features: {{include: [bdi_10, "wm-*posteriorcingulate", "wm-*inferiorparietal"]}}
search: {{max_literals: 2, keep: 10}}
splits: {{count: 4}}
null: {{relabellings: 19, calibration_studies: 0}}
"""


def open_study(folder: Path, name: str, data: Path, **changes) -> Study:
    path = folder / f"{name}.yaml"
    path.write_text(STUDY.format(name=name, folder=data))
    study = Study.read(path, changes=[f"{k}={v}" for k, v in changes.items()], out=folder / "runs")
    progress = Progress(Console(file=io.StringIO(), width=200))
    return Study(study.settings, study.out, Profile(kind="synchronous"), progress, study.command)


def simulate(folder: Path, seed: int, *, layout: str = "bids") -> Path:
    kd.simulate_study(folder, participants=70, seed=seed, effect=4.0, layout=layout, overwrite=True)
    return folder


@pytest.fixture(scope="module")
def discovery(tmp_path_factory):
    """Return the run folder of a study with a planted persona, and its tables in both layouts."""
    folder = tmp_path_factory.mktemp("discovery")
    data = simulate(folder / "data", 11, layout="both")
    return open_study(folder, "first", data).run().folder, data


@pytest.fixture(scope="module")
def locked(discovery, tmp_path_factory):
    return lock_run(discovery[0], to=tmp_path_factory.mktemp("locked"))


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_supported_personas_are_locked_and_others_need_anyway(discovery, locked, tmp_path):
    run, _ = discovery
    verdicts = pd.read_parquet(run / "verdicts.parquet")
    supported = verdicts[verdicts["verdict"] == "supported"]
    assert [path.stem for path in locked] == supported["persona"].tolist()
    persona = kd.Persona.read(locked[0])
    first = supported.iloc[0]
    for name in ("difference", "difference_low", "difference_high", "difference_shrunken"):
        assert getattr(persona.discovery, name) == first[name]
    assert persona.discovery.inside == first["support"]
    assert persona.run.fingerprint == json.loads((run / "summary.json").read_text())["fingerprint"]
    weaker = tmp_path / "weaker"
    shutil.copytree(run, weaker)
    RunFolder.open(weaker).write_table("verdicts", verdicts.assign(verdict="suggestive"))
    with pytest.raises(kd.InputError, match=r"no persona of this run is supported.*--anyway"):
        lock_run(weaker, to=tmp_path)
    with pytest.raises(kd.InputError, match="does not support this persona"):
        lock_run(weaker, [first["persona"]], to=tmp_path)
    (path,) = lock_run(weaker, [first["persona"]], anyway=True, to=tmp_path)
    assert json.loads(path.read_text())["anyway"] is True
    with pytest.raises(kd.InputError, match="no such persona among the verdicts"):
        lock_run(run, ["P00000000"], to=tmp_path)


def shuffle_columns(folder: Path, rng: np.random.Generator, *, missing: float = 0.0) -> None:
    """Reorder the columns and rows of all tables, and empty some cells of features."""
    files = [*folder.glob("phenotype/*.tsv"), *folder.glob("derivatives/freesurfer/*.tsv")]
    for path in (*files, folder / "participants.tsv"):
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        keys = [
            name for name in table.columns if name.endswith("_id") or ":" in name or "." in name
        ]
        keys = keys or [table.columns[0]]
        rest = rng.permutation([name for name in table.columns if name not in keys])
        for name in rest:
            if name.startswith("wm-") or (path.name == "bdi.tsv" and "10" in name):
                table.loc[rng.random(len(table)) < missing, name] = "n/a"
        order = rng.permutation(len(table))
        table.iloc[order][[*keys, *rest]].to_csv(path, sep="\t", index=False)


def members_of_units(folder: Path, persona) -> pd.DataFrame:
    """Return the members by the code path of a study: assemble, score, compare with the cuts."""
    scales = kd.read_phenotype(folder, bad_cells="missing")
    images = kd.open_volumes(folder / "derivatives" / "freesurfer")
    cohort = kd.assemble(
        scales, images, max_missing=1.0, max_missing_case=1.0,
        participants=kd.read_participants(folder),
    )  # fmt: skip
    units = kd.score_units(cohort, design="crossover", adjust="none")
    value = units["value"].sel(feature=[part.feature for part in persona.literals]).to_numpy()
    low = [-np.inf if part.low is None else part.low for part in persona.literals]
    high = [np.inf if part.high is None else part.high for part in persona.literals]
    holds = (value > low) & (value <= high)
    member = np.where(holds.all(axis=1), "inside", "unknown")
    member[(np.isfinite(value) & ~holds).any(axis=1)] = "outside"
    return pd.Series(member, index=units["participant"].to_numpy().astype(str))


def test_members_do_not_depend_on_layout_order_or_missing_values(discovery, locked, tmp_path):
    _, data = discovery
    persona = kd.Persona.read(locked[0])
    same = apply_persona(persona, data).set_index("participant")
    expected = members_of_units(data, persona)
    assert same.loc[expected.index, "member"].tolist() == expected.tolist()
    assert (expected == "inside").sum() == persona.discovery.inside
    nda = tmp_path / "nda"
    shutil.copytree(data, nda)
    shutil.rmtree(nda / "phenotype")
    other = apply_persona(persona, nda).set_index("participant")
    pd.testing.assert_frame_equal(other, same)
    shuffled = tmp_path / "shuffled"
    shutil.copytree(data, shuffled)
    shutil.rmtree(shuffled / "nda")
    shuffle_columns(shuffled, np.random.default_rng(1))
    pd.testing.assert_frame_equal(apply_persona(persona, shuffled).set_index("participant"), same)
    shuffle_columns(shuffled, np.random.default_rng(2), missing=0.3)
    fewer = apply_persona(persona, shuffled).set_index("participant")
    expected = members_of_units(shuffled, persona)
    assert (expected == "unknown").sum() >= 5
    assert fewer.loc[expected.index, "member"].tolist() == expected.tolist()
    reasons = fewer.loc[fewer["member"] == "unknown", "reason"]
    assert reasons.str.contains("is missing").all()


def test_a_table_of_features_with_another_unit_is_refused_by_name(discovery, locked, tmp_path):
    _, data = discovery
    persona = kd.Persona.read(locked[0])
    region = next(part.feature for part in persona.literals if part.modality == "volume")
    images = kd.open_volumes(data / "derivatives" / "freesurfer")
    table = images["volume"].to_pandas()[[region]].rename_axis("participant_id").reset_index()
    scales = kd.read_phenotype(data).table.query("day == 0").groupby("participant").first()
    table["bdi_10"] = scales["bdi_10"].reindex(table["participant_id"]).to_numpy()
    path = tmp_path / "features.csv"
    table.to_csv(path, index=False)
    assert set(apply_persona(persona, path)["member"]) >= {"inside", "outside"}
    table[region] /= 1000
    table.rename(columns={region: f"{region} (cm^3)"}).to_csv(path, index=False)
    refusal = f"{region} is in cm.3, not mm3.*convert the column to mm3"
    with pytest.raises(kd.InputError, match=refusal):
        apply_persona(persona, path)
    other_name = f"{region.replace('-', '_').upper()} (cm^3)"
    table.rename(columns={region: other_name}).to_csv(path, index=False)
    with pytest.raises(kd.InputError, match=refusal):
        apply_persona(persona, path)
    table.to_csv(path, index=False)
    with pytest.raises(kd.InputError, match=f"{region} is about 1000 times smaller"):
        apply_persona(persona, path)
    path.with_suffix(".json").write_text(json.dumps({region: {"Units": "cm3"}}))
    with pytest.raises(kd.InputError, match=f"{region} is in cm3, not mm3"):
        apply_persona(persona, path)


def test_confirmation_in_a_new_trial_and_not_in_its_own(discovery, locked, tmp_path):
    _, data = discovery
    files, values = locked[:1], [kd.Persona.read(locked[0])]
    study = open_study(tmp_path, "next", simulate(tmp_path / "data", 12))
    summary = study.confirm(values, alpha=0.025, relabellings=99)
    assert summary.headline.startswith("Confirmed: p = 0.01")
    page = summary.report.read_text()
    assert page.index("<h1>Confirmed: p = 0.01") < page.index("<section")
    assert values[0].sentence().split(";")[0].replace("<", "&lt;") in page
    assert "http" not in page.split("</style>")[1].split("<svg")[0]
    assert "sub-" not in page
    with pytest.raises(kd.InputError, match="the trial that found the persona"):
        open_study(tmp_path, "same", data).confirm(values, alpha=0.025, relabellings=99)
    with pytest.raises(kd.InputError, match=r"outcome.endpoint.*to improvement"):
        open_study(tmp_path, "late", tmp_path / "data", **{"outcome.endpoint": "percent"}).confirm(
            values, alpha=0.025, relabellings=99
        )
    result = invoke(
        "confirm", *files, tmp_path / "next.yaml", "--out", tmp_path / "runs",
        "--relabellings", 99, "--set", "design.kind=parallel",
    )  # fmt: skip
    assert result.exit_code == 0
    assert result.output.splitlines()[-1].endswith(".html")


def test_commands_lock_and_apply(discovery, tmp_path):
    run, data = discovery
    result = invoke("lock", run, "--to", tmp_path)
    path = Path(result.output.splitlines()[-1])
    assert kd.Persona.read(path).sentence() in result.output
    result = invoke("apply", path, data, "--to", tmp_path / "members.csv")
    table = pd.read_csv(tmp_path / "members.csv")
    assert table.columns.tolist() == ["participant", "period", "member", "reason"]
    assert "inside" in result.output


def test_the_locked_predictor_is_applied_to_tables(discovery, tmp_path):
    run, data = discovery
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    with pytest.raises(kd.InputError, match=r"no locked predictor.*`ketadask predict"):
        lock_run(copy, ["predictor"], to=tmp_path)
    scales, images = kd.read_phenotype(data), kd.open_volumes(data / "derivatives" / "freesurfer")
    cohort = kd.assemble(scales, images, participants=kd.read_participants(data))
    cases = classifier_data(cohort)
    folds = NestedFolds(repeats=1, folds=2, inner_repeats=1, inner_folds=2)
    model = lock_model(NestedCV(folds, Classifier(costs=(0.1, 1.0))), cases)
    model.write(copy / "locked_model.npz")
    result = invoke("lock", copy, "--persona", "predictor", "--to", tmp_path)
    path = Path(result.output.splitlines()[-1])
    assert path.name == "predictor.npz"
    result = invoke("apply", path, data, "--to", tmp_path / "predictions.csv")
    assert result.exit_code == 0
    table = pd.read_csv(tmp_path / "predictions.csv").set_index("participant")
    expected = model.apply(cases).set_index("participant")["probability"]
    np.testing.assert_allclose(table["probability"].reindex(expected.index), expected)
    assert len(table) > len(expected)  # nobody needs an outcome


def test_the_second_act_of_the_demo_confirms_and_its_null_twin_does_not(
    locked, tmp_path, in_process, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    persona = kd.Persona.read(locked[0])
    runs = tmp_path / "runs"
    options = {"out": runs, "cluster": in_process, "simulations": 500}
    plan = plan_next_trial(locked[0], TrialAssumptions(), **options)
    assert plan.table.set_index("design").loc["stratified", "outcomes"] < 80
    file = Path(__file__).parents[2] / "config" / "next_trial.yaml"
    for effect, is_confirmed in ((2.1, True), (0.0, False)):
        study = Study.read(file, changes=[f"data.simulate.effect={effect}"], out=runs)
        progress = Progress(Console(file=io.StringIO(), width=200))
        study = replace(study, profile=Profile(kind="synchronous"), progress=progress)
        table = study.confirm([persona], alpha=0.025, relabellings=199).table
        assert (table["conclusion"][0] == "confirmed") == is_confirmed, table.T
        assert table["unknown"][0] > 0
        assert table["inside"][0] + table["outside"][0] > 60
        assert table["persona"][0] == persona.persona
    # The command as documentation shows it: who is inside, in the tables of a YAML file.
    result = invoke("apply", locked[0], file, "--to", "members.csv")
    assert result.exit_code == 0, result.output
    members = pd.read_csv("members.csv")["member"].value_counts()
    assert members.sum() == 80
    assert members["inside"] >= table["inside"][0]
    assert f"{members['inside']} inside" in result.output


ONE_TABLE = """
name: {name}
seed: 3
data:
  table: {{file: {file}, participant: id, arm: arm}}
outcome: {{column: {column}, direction: lower}}
design: {{kind: parallel}}
features: {{include: ["age", "crp", "smoker*"]}}
search: {{max_literals: 2, keep: 10}}
splits: {{count: 4}}
null: {{relabellings: 39, calibration_studies: 0}}
"""


def one_table_study(
    folder: Path,
    name: str,
    table: pd.DataFrame,
    column: str = "change",
    changes: Iterable[str] = (),
) -> Study:
    table.to_csv(folder / f"{name}.csv", index=False)
    file = folder / f"{name}.yaml"
    file.write_text(ONE_TABLE.format(name=name, file=f"{name}.csv", column=column))
    progress = Progress(Console(file=io.StringIO(), width=200))
    study = Study.read(file, changes=changes, out=folder / "runs", progress=progress)
    return replace(study, profile=Profile(kind="synchronous"))


def test_a_study_of_one_table_is_locked_applied_and_confirmed(tmp_path):
    run = one_table_study(tmp_path, "first", trial_table(160, seed=3)).run()
    path, *_ = lock_run(run.folder, to=tmp_path)
    persona = kd.Persona.read(path)
    assert persona.arms == {"active": "Drug A", "control": "Placebo"}
    assert persona.sentence().endswith("smoker = yes")
    assert persona.outcome.response_threshold is None
    fresh = trial_table(160, seed=4)
    shuffled = fresh[["smoker", "change", "crp", "age", "arm", "id"]]
    study = one_table_study(tmp_path, "second", shuffled)
    summary = study.confirm([persona], alpha=0.025, relabellings=199)
    assert summary.headline.startswith("Confirmed: p = 0.005")
    members = apply_persona(persona, tmp_path / "second.yaml").set_index("participant")["member"]
    row = summary.table.iloc[0]
    assert (row["inside"], row["outside"]) == tuple(members.value_counts()[["inside", "outside"]])
    # People who may enter: no arm, no outcome, another name for the participant.
    people = fresh.drop(columns=["arm", "change"]).rename(columns={"id": "Subject ID"})
    people.to_csv(tmp_path / "people.csv", index=False)
    same = apply_persona(persona, tmp_path / "people.csv").set_index("participant")["member"]
    assert same.to_dict() == members.to_dict()
    people[people["smoker"] == "no"].to_csv(tmp_path / "people.csv", index=False)
    assert set(apply_persona(persona, tmp_path / "people.csv")["member"]) == {"outside"}
    renamed = one_table_study(
        tmp_path, "third", shuffled.rename(columns={"change": "madrs"}), column="madrs"
    )
    with pytest.raises(kd.InputError, match=r"outcome\.column.*set outcome\.column to change"):
        renamed.confirm([persona], alpha=0.025, relabellings=199)
    # A third arm leaves the control to a person; the names of the discovery say it.
    third_arm = shuffled.copy()
    third_arm.loc[third_arm.index[::5], "arm"] = "Drug 0"
    study = one_table_study(tmp_path, "fourth", third_arm)
    with pytest.raises(kd.InputError, match=r"left out: Drug A.*write data\.arms"):
        study.run()
    row = study.confirm([persona], alpha=0.025, relabellings=199).table.iloc[0]
    assert row["inside"] + row["outside"] == (third_arm["arm"] != "Drug 0").sum()
    assert row["conclusion"] == "confirmed"
    members = apply_persona(persona, tmp_path / "fourth.yaml")
    assert members.set_index("participant")["member"].to_dict() == same.to_dict()
    swapped = ["data.arms={Drug A: control, Placebo: active}"]
    study = one_table_study(tmp_path, "fifth", shuffled, changes=swapped)
    with pytest.raises(kd.InputError, match=r"data\.arms\.Drug A: .*locked with this arm as act"):
        study.confirm([persona], alpha=0.025, relabellings=199)
