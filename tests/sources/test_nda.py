"""Texts of the archive: two header lines, its names of items, ages in months."""

import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.nda import read_nda

NAMES = ["subjectkey", "src_subject_id", "interview_date", "interview_age", "sex", "visit",
         "madrssad", "madrsaps", "madrstot"]  # fmt: skip
ROWS = [
    ["NDAR1", "a", "01/02/2005", "360", "F", "ses-p1d0", "5", "4", "30"],
    ["NDAR1", "a", "01/09/2005", "361", "F", "ses-p1d7", "-999", "2", "12"],
    ["NDAR2", "b", "01/02/2005", "999", "M", "ses-p1d0", "1", "n/a", "21"],
]


def write(folder, rows, names=NAMES):
    lines = [names, [f"what {n} is" for n in names], *rows]
    path = folder / "madrs01.txt"
    path.write_text("".join("\t".join(f'"{cell}"' for cell in line) + "\n" for line in lines))
    return path


def test_a_structure_is_read_like_a_phenotype_file(tmp_path):
    phenotype = read_nda(write(tmp_path, ROWS))
    table = phenotype.table
    assert list(table.columns)[5:] == ["madrs_1", "madrs_2", "madrs_total"]
    assert table[["participant", "period", "day"]].values.tolist() == [
        ["a", 1, 0], ["a", 1, 7], ["b", 1, 0]]  # fmt: skip
    assert table["madrs_2"].tolist()[::2] == [5, 1]
    assert table["madrs_2"].isna().tolist() == [False, True, False]
    assert phenotype.ages == {"a": 30.0}
    assert phenotype.labels["madrs_2"] == "MADRS item 2: reported sadness"


def test_scales_are_chosen_by_either_name(tmp_path):
    write(tmp_path, ROWS)
    for name in ("madrs", "madrs01"):
        assert len(read_nda(tmp_path, [name]).table) == 3
    with pytest.raises(InputError, match="no such scale, found 'mards'; did you mean 'madrs'"):
        read_nda(tmp_path, ["mards"])


def test_rows_are_counted_with_both_headers(tmp_path):
    wrong = [row.copy() for row in ROWS]
    wrong[1][7] = "much"
    with pytest.raises(InputError, match=r"madrs01\.txt: row 4, column madrsaps: not a number"):
        read_nda(write(tmp_path, wrong))


def test_files_that_are_no_structure_are_named(tmp_path):
    with pytest.raises(InputError, match="no column 'src_subject_id'; did you mean 'subject_id'"):
        read_nda(write(tmp_path, [["a", "1"]], ["subject_id", "madrs_1"]))
    with pytest.raises(InputError, match="has a header but no rows"):
        read_nda(write(tmp_path, []))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no \*\.txt"):
        read_nda(tmp_path / "empty")


def test_a_file_without_descriptions_loses_no_row(tmp_path):
    path = tmp_path / "madrs01.txt"
    path.write_text("\n".join("\t".join(line) for line in [NAMES, *ROWS]))
    message = "row 2, column interview_age: the second line holds a number, .* found '360'; add"
    with pytest.raises(InputError, match=message):
        read_nda(path)


def test_the_structure_of_the_hamilton_scale_is_known(tmp_path):
    names = ["src_subject_id", "visit", "hsoin", "hmdsd", "hdtot_r"]
    lines = [names, names, ["a", "ses-p1d0", "1", "3", "20"]]
    (tmp_path / "hrsd01.txt").write_text("\n".join("\t".join(line) for line in lines))
    for scale in ("hamd", "hrsd", "hrsd01"):
        table = read_nda(tmp_path, [scale]).table
        assert table[["hamd_1", "hamd_4", "hamd_total"]].values.tolist() == [[3, 1, 20]]
