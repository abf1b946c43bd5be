"""Files of SPSS, Stata and SAS, ADaM and REDCap give the trial that the same CSV gives."""

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.adam import is_parameter_table, wide_parameters
from ketadask.sources.spreadsheets import read_table
from ketadask.sources.trial_table import read_trial_table

TRIAL = pd.DataFrame(
    {
        "id": [1.0, 2.0, 3.0, 4.0],
        "trt": [0, 1, 1, 0],
        "age": [30.0, 41.5, np.nan, 52.0],
        "mood": [0, 1, 2, 3],
        "change": [-3.0, -7.5, -2.0, 1.0],
    }
)
WORDS = {"trt": {0: "Placebo", 1: "Drug A"}, "mood": dict(enumerate(["no", "some", "more", "all"]))}


def save(folder, ending):
    path = folder / f"trial.{ending}"
    if ending == "sav":
        pyreadstat.write_sav(TRIAL, str(path), variable_value_labels=WORDS)
    elif ending == "dta":
        TRIAL.to_stata(path, write_index=False, value_labels=WORDS)
    elif ending == "xpt":
        labelled = TRIAL.assign(trt=TRIAL["trt"].map(WORDS["trt"]))
        pyreadstat.write_xport(labelled, str(path), file_format_version=5, table_name="TRIAL")
    else:
        words = {"trt": TRIAL["trt"].map(WORDS["trt"]), "id": TRIAL["id"].astype(int)}
        TRIAL.assign(**words).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("ending", ["sav", "dta", "xpt"])
def test_every_package_gives_the_trial_of_the_csv(tmp_path, ending):
    columns = {"ID": "id", "TRT": "trt", "AGE": "age", "MOOD": "mood", "CHANGE": "change"}
    cells = read_table(save(tmp_path, ending))
    cells = cells.rename({old: new for old, new in columns.items() if old in cells.columns})
    expected = read_trial_table(read_table(save(tmp_path, "csv")))
    trial = read_trial_table(cells)
    pd.testing.assert_frame_equal(trial.table, expected.table)
    pd.testing.assert_frame_equal(trial.covariates, expected.covariates)
    pd.testing.assert_frame_equal(trial.scales.table, expected.scales.table)
    assert trial.sequences == {"1": "control", "2": "active", "3": "active", "4": "control"}


@pytest.mark.parametrize("ending", ["sav", "dta", "xpt"])
def test_a_damaged_file_is_an_error_with_a_remedy(tmp_path, ending):
    path = save(tmp_path, ending)
    path.write_bytes(path.read_bytes()[:40] + b"\x00\xff" * 30)
    with pytest.raises(InputError, match="export it again, or save it as CSV"):
        read_table(path)


def test_row_names_of_r_need_no_header(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text('"","trt","change"\n"1","drug","-3"\n"2","placebo","1"\n')
    trial = read_trial_table(read_table(path))
    assert trial.sequences == {"row 2": "active", "row 3": "control"}


def adam(folder):
    visits = [("Baseline", 0), ("Day 7", 7)]
    rows = [
        (who, code, visit, number, 20 + k + number, "Y")
        for who in ("S1", "S2", "S3")
        for k, code in enumerate(("MADRSTOT", "HAMATOT"))
        for visit, number in visits
    ]
    names = ["USUBJID", "PARAMCD", "AVISIT", "AVISITN", "AVAL", "ANL01FL"]
    scores = pd.DataFrame([*rows, ("S1", "MADRSTOT", "Day 7", 7, 99, "")], columns=names)
    subjects = pd.DataFrame(
        {"USUBJID": ["S1", "S2", "S3"], "TRT01P": ["Esketamine", "Placebo", "Placebo"],
         "AGE": [40.0, 50, 60], "SEX": ["M", "F", "F"], "SITEID": ["01", "02", "01"],
         "SAFFL": ["Y", "Y", "Y"]}
    )  # fmt: skip
    for name, table in (("adqs", scores), ("adsl", subjects)):
        path = str(folder / f"{name}.xpt")
        pyreadstat.write_xport(table, path, file_format_version=5, table_name=name.upper())
    return folder / "adqs.xpt"


def test_adam_is_joined_by_its_standard_columns(tmp_path):
    cells = read_table(adam(tmp_path))
    assert is_parameter_table(cells)
    trial = read_trial_table(wide_parameters(cells, read_table))
    assert trial.sequences == {"S1": "active", "S2": "control", "S3": "control"}
    assert trial.table["site"].tolist() == ["01", "02", "01"]
    assert trial.table["age"].tolist() == [40, 50, 60]
    visits = trial.scales.table.set_index(["participant", "day"])
    assert visits.loc[("S1", 7), "hama_total"] == 28
    assert visits["madrs_total"].tolist() == [20, 27] * 3  # not the record without a flag
    (tmp_path / "adsl.xpt").unlink()
    with pytest.raises(InputError, match="no column names the arm"):
        read_trial_table(wide_parameters(cells, read_table))


def test_redcap_events_and_repeats_are_visits(tmp_path):
    path = tmp_path / "redcap.csv"
    path.write_text(
        "record_id,redcap_event_name,treatment,age,phq,phq_complete\n"
        "1,baseline_arm_1,Ketamine,40,20,2\n1,week_4_arm_1,,,9,2\n"
        "2,baseline_arm_1,Midazolam,50,19,2\n2,week_4_arm_1,,,15,2\n"
    )
    trial = read_trial_table(read_table(path))
    assert trial.sequences == {"1": "active", "2": "control"}
    visits = trial.scales.table.set_index(["participant", "day"])
    assert visits["phq"].to_dict() == {("1", 0): 20, ("1", 28): 9, ("2", 0): 19, ("2", 28): 15}
    assert trial.table["age"].tolist() == [40, 50]
    repeats = tmp_path / "repeats.csv"
    repeats.write_text(
        "record_id,redcap_repeat_instrument,redcap_repeat_instance,treatment,phq\n"
        "1,,,Ketamine,\n1,phq,1,,20\n1,phq,2,,9\n2,,,Midazolam,\n2,phq,1,,19\n2,phq,2,,15\n"
    )
    visits = read_trial_table(read_table(repeats)).scales.table
    assert visits["day"].tolist() == [1, 2, 1, 2]
    assert visits["phq"].tolist() == [20, 9, 19, 15]
