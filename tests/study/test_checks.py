"""`ketadask check` says what is there, who is left out and why, and every wrong cell at once."""

import shutil

import numpy as np
import pandas as pd
import pytest

from ketadask.cli.main import run
from ketadask.config.study import read_study
from ketadask.pipeline.progress import Progress
from ketadask.schema.errors import InputError
from ketadask.study.check import check_study
from tests.conftest import ROOT

STUDY = ROOT / "config" / "ds005917.yaml"


@pytest.mark.parametrize(
    ("day", "active", "control", "both"),
    [(2, (8, 27), (1, 26), 24), (10, (5, 26), (1, 26), 22)],
)
def test_the_real_trial_loads_by_ten_lines(real_data, tmp_path, day, active, control, both):
    lines = [line for line in STUDY.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 10
    folder = real_data / "clinical" / "ds005917"
    settings = read_study(STUDY, [f"data.folder={folder}", f"outcome.day={day}"])
    found = check_study(settings, tmp_path, Progress())
    assert found.response == {"active": active, "control": control}
    assert (found.flow["assessed"], found.flow["studied"]) == (58, 33)
    assert found.flow["analysed"]["both_arms"] == both
    assert found.units == active[1] + control[1]
    assert "sub-MOA117" in found.reasons["unknown arm: no infusion is recorded"]
    assert found.invalid_cells == []


@pytest.fixture
def trial(real_data, tmp_path):
    """Return a writable copy of the trial's tables, in temporary storage."""
    source = real_data / "clinical" / "ds005917"
    for name in ("participants.tsv", "phenotype/phenotype.tsv"):
        path = tmp_path / "trial" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, path)
    return tmp_path / "trial"


WRONG = {
    "text": (2, "\t35\t", "\tx\t", "row 2, column MADRS_Total: not a number, found 'x'"),
    "range": (3, "\t24\t", "\t64\t", "row 3, column MADRS_Total: outside the range 0 to 60"),
    "twice": (6, "ses-p10", "ses-p2", "row 6, column session_id: visit appears twice, first in"),
    "stranger": (7, "sub-MOA102", "sub-X", "row 7, column participant_id: unknown participant"),
    "arm": (11, "ses-d10", "ses-x10", "row 11, column session_id: session does not match"),
}


@pytest.mark.parametrize("bad_cells", ["stop", "missing"])
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_cell_is_shown_and_the_study_does_what_its_setting_says(
    trial, tmp_path, capsys, name, bad_cells
):
    line, old, new, message = WRONG[name]
    path = trial / "phenotype" / "phenotype.tsv"
    lines = path.read_text().splitlines(keepends=True)
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_text("".join(lines))
    words = ["check", str(STUDY), "--out", str(tmp_path / "runs")]
    words += ["--set", f"data.folder={trial}", "--set", f"data.bad_cells={bad_cells}"]
    assert run(words) == (2 if bad_cells == "stop" else 0)
    shown = capsys.readouterr().out
    assert f"phenotype.tsv: {message}" in shown
    says = "the study stops at them" if bad_cells == "stop" else "they count as missing"
    assert f"Invalid cells: 1; {says}" in shown


def test_a_session_of_an_arm_never_given_is_named_in_the_real_trial(trial, tmp_path, capsys):
    path = trial / "phenotype" / "phenotype.tsv"
    text = path.read_text()
    row = next(n for n, s in enumerate(text.splitlines(), 1) if s.startswith("sub-MOA103\tses-p2"))
    path.write_text(text.replace("sub-MOA103\tses-p2\t", "sub-MOA103\tses-d2\t"))
    words = ["check", str(STUDY), "--out", str(tmp_path), "--set", f"data.folder={trial}"]
    assert run(words) == 2
    shown = capsys.readouterr().out
    expected = f"row {row}, column session_id: session does not fit the infusions control, found"
    assert expected in shown


def test_plain_tables_give_the_same_study_as_bids(real_data, tmp_path):
    import pandas as pd

    source = real_data / "clinical" / "ds005917"
    people = pd.read_csv(source / "participants.tsv", sep="\t", dtype=str, keep_default_na=False)
    scores = pd.read_csv(source / "phenotype/phenotype.tsv", sep="\t", keep_default_na=True)
    people.rename(columns={"participant_id": "Who"}).to_excel(tmp_path / "p.xlsx", index=False)
    wide = scores.pivot(index="participant_id", columns="session_id", values="MADRS_Total")
    wide = wide.drop(columns=[c for c in wide.columns if not isinstance(c, str)])
    wide.columns = [f"MADRS {session}" for session in wide.columns]
    wide.reset_index().rename(columns={"participant_id": "Who"}).to_csv(
        tmp_path / "s.csv", index=False
    )
    study = tmp_path / "study.yaml"
    study.write_text(
        r"""name: plain
data:
  folder: .
  groups: [MDD]
  participants: {file: p.xlsx, columns: {Who: participant_id}}
  session_pattern: ses-(?P<arm>[bdp])(?P<day>\d+)
  tables:
    - file: s.csv
      participant: Who
      wide_pattern: (?P<name>MADRS) (?P<session>ses-.+)
      columns: {MADRS: madrs_total}
outcome: {scale: madrs, day: 2}
design: {kind: pooled}
"""
    )
    found = check_study(read_study(study), tmp_path / "runs", Progress())
    assert found.response == {"active": (8, 27), "control": (1, 26)}
    assert found.flow["analysed"]["both_arms"] == 24
    assert found.files == 2


SITES = """
name: sites
data: {simulate: {participants: 24, seed: 7}}
design: {kind: parallel}
features: {modalities: [demographic]}
"""


@pytest.mark.parametrize(
    ("column", "sizes", "alone", "words"),
    [
        ("site", [1] * 24, 0, "participants (24 sites, too small for a comparison within site)"),
        ("site", [12, 12], 0, "of the same site (2 sites; benefit and features may differ"),
        ("site", [1, 1, 11, 11], 0, "(4 sites, small ones merged: 2 levels; benefit"),
        ("family", [3, 4, 5, 12], 24, ""),
        ("family", [2] + [1] * 22, 2, "clusters: 1 by family, exchanged and split as one"),
        ("family", [2] * 12, 0, "clusters: 12 by family, exchanged and split as one"),
    ],
)
def test_units_with_nobody_to_exchange_with_are_counted_before_a_study_runs(
    tmp_path, capsys, column, sizes, alone, words
):
    """Where everybody is alone, every relabelled trial is the trial and every p would be 1."""
    import pandas as pd

    study = tmp_path / "study.yaml"
    study.write_text(SITES)
    folder = check_study(read_study(study), tmp_path / "runs", Progress()).folder
    people = pd.read_csv(folder / "participants.tsv", sep="\t")
    people[column] = "s" + pd.Series(np.repeat(np.arange(len(sizes)), sizes)).astype(str)
    mine = tmp_path / "mine"
    shutil.copytree(folder, mine)
    people.to_csv(mine / "participants.tsv", sep="\t", index=False, na_rep="n/a")
    text = SITES.replace("simulate: {participants: 24, seed: 7}", f"folder: {mine}")
    if column == "family":
        text = text.replace("{kind: parallel}", "{kind: parallel, cluster: family}")
    study.write_text(text)
    capsys.readouterr()
    code = run(["check", str(study), "--out", str(tmp_path / "runs")])
    assert code == (2 if alone == 24 else 0)
    out, wrong = capsys.readouterr()
    assert words in next((line for line in out.splitlines() if line.startswith("verdicts ")), "")
    if alone == 24:
        assert "null.method: all participants are alone in their stratum" in wrong
        assert "clusters exchange with clusters of the same size" in wrong
    elif alone:
        assert "relabellings  2 of these units are alone in their stratum" in out
    else:
        assert "alone" not in out


def test_null_adjustment_and_strata_are_one_line(tmp_path, capsys):
    study = tmp_path / "study.yaml"
    study.write_text(SITES)
    assert run(["check", str(study), "--out", str(tmp_path / "runs")]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("verdicts ")]
    facts = check_study(read_study(study), tmp_path / "runs", Progress()).comparison
    assert lines == [f"verdicts      {facts.line()}"]
    assert (facts.design, facts.n_sites, facts.n_features) == ("parallel", 1, 3)
    assert facts.sites_p is None


@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_share_that_leaves_a_side_without_people_is_refused_at_once(tmp_path, capsys, verb):
    study = tmp_path / "study.yaml"
    study.write_text(SITES)
    words = [verb, str(study), "--out", str(tmp_path / "runs"), "--set", "splits.train_size=0.05"]
    assert run(words) == 2
    wrong = capsys.readouterr().err
    assert "splits.train_size: with 24 participants a training set may have 1" in wrong
    assert "found 0.05; choose a train_size of 0.084 to 0.916" in wrong
    assert "search:" not in wrong


PEOPLE = """name: people
data:
  folder: .
  participants: {file: people.csv, features: all}
  tables: [{file: scores.csv, day: day}]
  arms: {Drug A: active, Placebo: control}
outcome: {scale: madrs, day: 7}
design: {kind: parallel}
"""


def write_people(folder):
    """Write ordinary tables: 20 blood markers, categories and texts; scores of two days."""
    rng, n = np.random.default_rng(0), 40
    ids = [f"s{u:02d}" for u in range(n)]
    arms, smoker = np.where(np.arange(n) % 2, "Drug A", "Placebo"), rng.choice(["yes", "no"], n)
    education = rng.choice(["school", "college", "university"], n)
    people = {"participant_id": ids, "treatment": arms, "age": rng.integers(20, 70, n)}
    people |= {"smoker": smoker, "education": education, "country": "DE"}
    people |= {"note": [f"comment {u}" for u in range(n)]}
    people |= {f"blood_{k}": rng.normal(size=n).round(2) for k in range(20)}
    pd.DataFrame(people).to_csv(folder / "people.csv", index=False)
    scores = {"participant_id": np.repeat(ids, 2), "day": np.tile([0, 7], n)}
    scores |= {"madrs_total": rng.integers(5, 40, 2 * n)}
    pd.DataFrame(scores).to_csv(folder / "scores.csv", index=False)
    (folder / "study.yaml").write_text(PEOPLE)
    return folder / "study.yaml"


def test_every_column_of_ordinary_tables_has_a_use_or_a_reason(tmp_path):
    path = write_people(tmp_path)
    found = check_study(read_study(path), tmp_path / "runs", Progress.silent())
    assert (found.units, found.overall.n_active) == (40, 20)
    assert dict(found.modalities.groupby("modality")["features"].sum())["people"] >= 22
    use = {row["column"]: row["use"] for row in found.columns}
    assert {use[name] for name in ["age", "smoker", "education", "blood_19"]} == {"feature"}
    reasons = {row["column"]: row["reason"] for row in found.columns if row["use"] == "not used"}
    assert reasons == {"country": "has one value", "note": "text of 40 different values"}
    path.write_text(PEOPLE.replace(", features: all", ""))
    found = check_study(read_study(path), tmp_path / "runs", Progress.silent())
    reasons = {row["column"]: row["reason"] for row in found.columns if row["use"] == "not used"}
    assert len(reasons) == 24
    assert reasons["smoker"] == "not among data.participants.features; it may be feature"


def test_arms_without_a_map_name_column_value_and_remedy(tmp_path):
    path = write_people(tmp_path)
    path.write_text(PEOPLE.replace("  arms: {Drug A: active, Placebo: control}\n", ""))
    message = "people.csv: row 3, column treatment: unknown arm, found 'Drug A'.*map it, data.arms"
    with pytest.raises(InputError, match=message):
        check_study(read_study(path), tmp_path / "runs", Progress.silent())
