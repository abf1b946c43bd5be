"""phenotype/*.tsv: one tidy row per participant and visit, errors that name the cell."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.participants import read_participants
from ketadask.sources.phenotype import read_phenotype
from ketadask.sources.visits import ARMS

KEYS = ["participant", "session", "period", "arm", "day"]


def study(folder, **scales):
    """Write participants a and b, and one file of lines per scale."""
    (folder / "participants.tsv").write_text("participant_id\tage\na\t1\nb\t2\n")
    (folder / "phenotype").mkdir()
    for name, lines in scales.items():
        (folder / "phenotype" / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    return folder


MADRS = [
    "participant_id\tsession_id\tmadrs_2\tmadrs_1\tmadrs_total",
    "b\tses-p1d0\t1\t2\t30",
    "a\tses-p1d7\t3\tn/a\t12",
    "a\tses-p1d0\t5\t6\t40",
]


def test_rows_and_columns_are_in_canonical_order(tmp_path):
    phenotype = read_phenotype(study(tmp_path, madrs=MADRS))
    table = phenotype.table
    assert list(table.columns) == [*KEYS, "madrs_1", "madrs_2", "madrs_total"]
    assert table["participant"].tolist() == ["a", "a", "b"]
    assert table["day"].tolist() == [0, 7, 0]
    np.testing.assert_array_equal(table["madrs_1"], [6, np.nan, 2])
    assert phenotype.labels["madrs_1"] == "MADRS item 1: apparent sadness"
    assert phenotype.limits["madrs_total"] == (0, 60)
    assert phenotype.findings == []


def test_files_are_joined_on_participant_and_visit(tmp_path):
    once = ["participant_id\tbdi_1", "a\t1", "b\t2"]
    hama = ["participant_id\tsession_id\thama_1", "a\tses-p1d0\t4", "b\tses-p2d0\t1"]
    table = read_phenotype(study(tmp_path, madrs=MADRS, bdi=once, hama=hama)).table
    indexed_scores = table.set_index(["participant", "period", "day"])
    assert len(indexed_scores) == 6
    assert indexed_scores.loc[("a", 1, 0), ["madrs_1", "hama_1"]].tolist() == [6, 4]
    assert indexed_scores.loc[("a", 0, 0), "bdi_1"] == 1
    assert indexed_scores.loc[("a", 0, 0), "arm"] == "shared"
    assert np.isnan(indexed_scores.loc[("b", 2, 0), "madrs_1"])


def test_scales_are_chosen_by_file_or_by_name(tmp_path):
    lines = ["participant_id\tsession_id\tMADRS_Total\tHAM17_Total\tpain", "a\tses-p1d0\t3\t4\t5"]
    folder = study(tmp_path, phenotype=lines, bdi=["participant_id\tQ1", "a\t1"])
    assert list(read_phenotype(folder, ["madrs"]).table.columns)[5:] == ["madrs_total"]
    assert list(read_phenotype(folder, ["bdi", "hamd"]).table.columns)[5:] == [
        "bdi_1",
        "hamd_total",
    ]
    assert list(read_phenotype(folder, ["phenotype"]).table.columns)[5:] == [
        "hamd_total",
        "madrs_total",
        "pain",
    ]
    with pytest.raises(InputError, match="no such scale, found 'hamad'; did you mean 'hamd'"):
        read_phenotype(folder, ["hamad"])


def test_text_columns_are_left_aside_and_named(tmp_path):
    lines = ["participant_id\tsession_id\tmadrs_1\tnote\trater", "a\tses-p1d0\t3\tcalm\t2"]
    phenotype = read_phenotype(study(tmp_path, madrs=lines))
    table = phenotype.table
    assert list(table.columns)[5:] == ["madrs_1", "rater"]
    assert phenotype.ignored == ["note"]


def test_the_sidecar_sets_the_range_and_the_label(tmp_path):
    folder = study(tmp_path, mood=["participant_id\tmood_1\tday", "a\t2\t1", "b\t5\t1"])
    levels = {"mood_1": {"Description": "Mood", "Levels": {"1": "good", "4": "bad"}}}
    (folder / "phenotype" / "mood.json").write_text(json.dumps(levels))
    message = r"mood\.tsv: row 3, column mood_1: outside the range 1 to 4, found '5'"
    with pytest.raises(InputError, match=message):
        read_phenotype(folder)
    phenotype = read_phenotype(folder, bad_cells="missing")
    table = phenotype.table
    assert phenotype.labels["mood_1"] == "mood_1: Mood"
    assert list(table.columns) == [*KEYS, "mood_1", "mood_day"]
    assert [f["value"] for f in phenotype.findings] == ["5"]


WRONG = {
    "text": ("a\tses-p1d1\tx\t1\t9", "row 5, column madrs_2: not a number, found 'x'"),
    "range": ("a\tses-p1d1\t7\t1\t9", "row 5, column madrs_2: outside the range 0 to 6, found '7'"),
    "visit twice": ("a\tses-p1d7\t1\t1\t9", "row 5, .*visit appears twice, first in row 3"),
    "stranger": ("c\tses-p1d1\t1\t1\t9", "row 5, column participant_id: unknown participant"),
    "nobody": ("n/a\tses-p1d1\t1\t1\t9", "row 5, column participant_id: no participant"),
    "session": ("a\tses-d7\t1\t1\t9", "row 5, column session_id: session does not match"),
    "no session": ("a\tn/a\t1\t1\t9", "row 5, column session_id: session does not match"),
}


@pytest.mark.parametrize("name", WRONG)
def test_one_wrong_row_stops_or_becomes_a_finding(tmp_path, name):
    row, message = WRONG[name]
    folder = study(tmp_path, madrs=[*MADRS, row])
    with pytest.raises(InputError, match=rf"madrs\.tsv: {message}"):
        read_phenotype(folder)
    phenotype = read_phenotype(folder, bad_cells="missing")
    table = phenotype.table
    assert len(phenotype.findings) == 1
    assert len(table) == {"text": 4, "range": 4, "visit twice": 2}.get(name, 3)
    good = read_phenotype(folder, participants=["a", "b"], bad_cells="missing").table
    pd.testing.assert_frame_equal(good, table)


def test_a_file_of_wrong_rows_only_leaves_no_visit(tmp_path):
    folder = study(
        tmp_path, madrs=[MADRS[0], "z\tses-p1d0\t1\t2\t30"], bdi=["participant_id\tQ1", "a\t1"]
    )
    table = read_phenotype(folder, bad_cells="missing").table
    assert table["participant"].tolist() == ["a"]
    assert np.isnan(table["madrs_1"][0])
    alone = read_phenotype(folder, ["madrs"], bad_cells="missing").table
    assert len(alone) == 0
    assert alone.columns.tolist() == [*KEYS, "madrs_1", "madrs_2", "madrs_total"]


def test_a_row_without_session_and_scores_is_no_error(tmp_path):
    folder = study(tmp_path, madrs=[*MADRS, "b\tn/a\tn/a\tn/a\tn/a"])
    assert len(read_phenotype(folder).table) == 3


def test_totals_are_compared_with_their_items(tmp_path):
    header = "participant_id\t" + "\t".join(f"madrs_{n}" for n in range(1, 11)) + "\tmadrs_total"
    rows = ["a\t" + "\t".join("1" * 10) + "\t10", "b\t" + "\t".join("2" * 10) + "\t19"]
    folder = study(tmp_path, madrs=[header, *rows])
    with pytest.raises(InputError, match="row 3, column madrs_total: the items sum to 20, found"):
        read_phenotype(folder)
    assert len(read_phenotype(folder, bad_cells="missing").table) == 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["participant\tsession_id\tmadrs_1", "a\tses-p1d0\t1"], "no column 'participant_id'; did"),
        (["participant_id\tmadrs_1\tmadrs_01", "a\t1\t1"], "two columns hold madrs_1"),
        (["participant_id\tnote", "a\tcalm"], "no column holds numbers"),
        (["participant_id,madrs_1", "a,1"], "seem separated by comma"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, lines, message):
    with pytest.raises(InputError, match=rf"madrs\.tsv: .*{message}"):
        read_phenotype(study(tmp_path, madrs=lines))


def test_a_scale_in_two_files_is_named(tmp_path):
    other = ["participant_id\tmadrs_1", "a\t1"]
    with pytest.raises(InputError, match=r"two\.tsv: column madrs_1: madrs_1 is in two files"):
        read_phenotype(study(tmp_path, one=other, two=other))


def test_folders_that_hold_nothing_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such folder"):
        read_phenotype(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no phenotype/\*\.tsv"):
        read_phenotype(tmp_path)


def test_an_unreadable_folder_is_named(tmp_path, monkeypatch):
    folder = study(tmp_path, madrs=MADRS)

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(InputError, match=r"phenotype: cannot be read \(Permission denied\)"):
        read_phenotype(folder)


def test_the_real_trial(real_data):
    table = read_phenotype(real_data / "clinical" / "ds005917", session_pattern=ARMS).table
    assert list(table.columns)[5:] == ["hamd6_total", "hamd_total", "madrs_total"]
    assert table["participant"].nunique() == 57  # one of 58 has neither a session nor a score
    first = table[(table["participant"] == "sub-MOA104")].set_index("session")["madrs_total"]
    assert first.to_dict() == {
        "ses-b0": 41,
        "ses-d2": 17,
        "ses-d10": 23,
        "ses-p2": 12,
        "ses-p10": 24,
    }
    with pytest.raises(InputError, match=r"row 2, column session_id: .* found 'ses-b0'; .*\[bdp\]"):
        read_phenotype(real_data / "clinical" / "ds005917")


def test_the_real_bdi_with_alias_headers(real_data):
    table = read_phenotype(real_data / "clinical" / "ds004215", ["bdi"]).table
    items = table[[f"bdi_{n}" for n in range(1, 22)]]
    assert len(table) == 272
    assert items.isna().sum().sum() == 9
    assert items.min().min() == 0
    assert items.max().max() <= 3


def test_a_column_of_words_and_numbers_stops_with_a_remedy_that_helps(tmp_path):
    (tmp_path / "phenotype").mkdir()
    (tmp_path / "participants.tsv").write_text("participant_id\na\nb\nc\n")
    rows = "participant_id\tmadrs_total\tdose\na\t30\t10\nb\t20\t20\nc\t10\t10, PRN\n"
    (tmp_path / "phenotype" / "madrs.tsv").write_text(rows)
    with pytest.raises(InputError) as error:
        read_phenotype(tmp_path)
    for words in (
        "madrs.tsv",
        "row 4, column dose",
        "'10, PRN'",
        "or ignore the column (ignore)",
    ):
        assert words in str(error.value)
    phenotype = read_phenotype(tmp_path, ignore=["dose"])
    table = phenotype.table
    assert "dose" not in table
    assert phenotype.ignored == ["dose"]
    with pytest.raises(InputError, match=r"ignore: no such column in any file, found 'dos'"):
        read_phenotype(tmp_path, ignore=["dos", "dose"])


READ = """
import json, resource, sys
from ketadask.sources.participants import read_participants
from ketadask.sources.phenotype import read_phenotype
import pandas

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
table = read_phenotype(sys.argv[1]).table
table_bytes = int(table.memory_usage(deep=True).sum())
print(json.dumps({"rows": len(table), "bytes": table_bytes, "growth": peak() - before}))
"""


@pytest.mark.slow
def test_reading_needs_a_few_times_the_memory_of_the_scores(tmp_path):
    (tmp_path / "phenotype").mkdir()
    for scale, count, highest in (("madrs", 10, 6), ("bdi", 21, 3)):
        header = ["participant_id", "session_id", *(f"{scale}_{n}" for n in range(1, count + 1))]
        with (tmp_path / "phenotype" / f"{scale}.tsv").open("w") as file:
            file.write("\t".join(header) + "\n")
            for k in range(50_000):
                cells = "\t".join(str((k + n) % (highest + 1)) for n in range(count))
                for session in ("ses-p1d0", "ses-p1d7"):
                    file.write(f"sub-{k:05d}\t{session}\t{cells}\n")
    words = [sys.executable, "-c", READ, str(tmp_path)]
    process = subprocess.run(words, capture_output=True, text=True, check=True)
    memory = json.loads(process.stdout)
    print(f"{memory['growth'] / 50_000:,.0f} bytes per participant")
    assert memory["rows"] == 100_000
    assert memory["growth"] < 8 * memory["bytes"]


def test_a_parallel_trial_needs_no_period_in_its_sessions(tmp_path):
    (tmp_path / "phenotype").mkdir()
    people = tmp_path / "participants.tsv"
    rows = "participant_id\tsession_id\tmadrs_total\na\tses-baseline\t30\na\tses-day7\t12\n"
    (tmp_path / "phenotype" / "madrs.tsv").write_text(rows)
    people.write_text("participant_id\ttreatment\na\tDrug A\nb\tPlacebo\n")
    arms = {"Drug A": "active", "Placebo": "control"}
    table = read_phenotype(tmp_path, participants=read_participants(people, arms=arms)).table
    assert table[["period", "day", "madrs_total"]].values.tolist() == [[1, 0, 30], [1, 7, 12]]
    people.write_text("participant_id\tinfusion_1\tinfusion_2\na\td\tp\n")
    with pytest.raises(InputError, match="session does not match the pattern"):
        read_phenotype(tmp_path)
