"""Mutated files give a table or a clear error: no traceback, no hang, no wrong column."""

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.schema.errors import InputError
from ketadask.schema.phenotype import Participants, Phenotype
from ketadask.sources.freesurfer import open_volumes
from ketadask.sources.nda import read_nda
from ketadask.sources.participants import read_participants
from ketadask.sources.phenotype import read_phenotype
from ketadask.sources.plain_tables import PlainTable, read_tables
from ketadask.sources.visits import ARMS

PARTICIPANTS = b"""participant_id\tage\tsex\tBMI\tgroup\tinfusion_1\tinfusion_2
a\t29\tM\t27.8\tMDD\td\tp
b\t35\tF\tn/a\tHC\tp\tn/a
"""
PHENOTYPE = b"""participant_id\tsession_id\tMADRS_Total\tbdi_10
a\tses-b0\t35\t1
a\tses-d2\t24\t0
b\tses-p10\tn/a\t3
"""
NDA = b"""subjectkey\tsrc_subject_id\tinterview_age\tvisit\tmadrssad
"key"\t"id"\t"months"\t"visit"\t"sadness, reported"
"N1"\t"a"\t"300"\t"ses-b0"\t"4"
"""
TABLE = b"""Measure:volume\tLeft-Thalamus-Proper\tCSF\tEstimatedTotalIntraCranialVol
a\t7311.5\t1287.8\t1500000.5
b\t6806.7\t900\t1.4e6
"""
STATS = b"""# Measure BrainSegNotVent, BrainSegVolNotVent, Brain Volume, 1157593.0, mm^3
# ColHeaders Index SegId NVoxels Volume_mm3 StructName normMean
 1 4 5077 5581.1 Left-Lateral-Ventricle 27.3
 2 10 8612 8178.8 Left-Thalamus 83.3
"""
SIDECAR = b'{"bdi_10": {"Description": "Crying", "Levels": {"0": "no", "3": "yes"}}}'

PIECES = [b"\t", b"\n", b"\r", b'"', b",", b";", b" ", b"\0", b"\xff", b"\xef\xbb\xbf", b"n/a"]
PIECES += [b"-999", b"1e999", b"1_0", b"ses-b0", b"a", b"#", b"0" * 40, b"[" * 3000, b"{"]


@st.composite
def mutations(draw, original):
    """Cut, double, overwrite and insert bytes of a good file."""
    content = original
    pieces = st.one_of(st.just(b""), st.sampled_from(PIECES), st.binary(max_size=6))
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, len(content)))
        last = draw(st.integers(first, min(len(content), first + 40)))
        new = draw(st.one_of(pieces, st.just(content[first:last])))
        content = content[: draw(st.sampled_from([first, last]))] + new + content[last:]
    return content


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def table_or_error(read, *arguments, **options):
    """Return the table, or None where the reader says in which file something is wrong."""
    try:
        value = read(*arguments, **options)
        return value.table if isinstance(value, Participants | Phenotype) else value
    except InputError as wrong:
        error = wrong
    assert str(error).strip()
    assert error.file is not None
    return None


def check_participants(folder, content):
    write(folder / "participants.tsv", content)
    for bad_cells in ("stop", "missing"):
        table = table_or_error(read_participants, folder, bad_cells=bad_cells)
        if table is not None:
            assert table["participant"].is_unique
            arms = set("-".join(table["sequence"]).split("-"))
            assert arms <= {"", "active", "control"}
            assert table["age"].dropna().between(0, 120).all()


def check_phenotype(folder, content):
    write(folder / "phenotype" / "mood.tsv", content)
    for bad_cells in ("stop", "missing"):
        table = table_or_error(read_phenotype, folder, session_pattern=ARMS, bad_cells=bad_cells)
        if table is not None:
            assert not table.duplicated(["participant", "period", "arm", "day"]).any()
            assert not table.columns.duplicated().any()
            for name, highest in (("bdi_10", 3), ("madrs_total", 60)):
                if name in table:
                    assert table[name].dropna().between(0, highest).all()


def check_nda(folder, content):
    table = table_or_error(read_nda, write(folder / "madrs01.txt", content), session_pattern=ARMS)
    if table is not None and "madrs_2" in table:
        assert table["madrs_2"].dropna().between(0, 6).all()


def volumes_at(path):
    return open_volumes(path).compute(scheduler="synchronous")


def check_volumes(path):
    volumes = table_or_error(volumes_at, path)
    if volumes is not None:
        values = volumes["volume"].to_numpy()
        assert (np.isnan(values) | ((values >= 0) & np.isfinite(values))).all()


def check_tables(folder, content):
    check_volumes([write(folder / "aseg.tsv", content)])


def check_stats(folder, content):
    write(folder / "a" / "stats" / "aseg.stats", content)
    check_volumes(folder)


def check_sidecar(folder, content):
    write(folder / "phenotype" / "mood.tsv", PHENOTYPE)
    write(folder / "phenotype" / "mood.json", content)
    table = table_or_error(read_phenotype, folder, session_pattern=ARMS)
    assert table is None or len(table) == 3


LONG = {"id": ["a", "a"], "p": [1, 1], "d": [0, 7], "madrs_total": [30, 12], "bdi_10": [1, None]}
LONG_TEXT = b"id,p,d,madrs_total,bdi_10\na,1,0,30,1\na,1,7,12,\n"
WIDE_TEXT = b"id;madrs_total_p1d0;madrs_total_p1d7;bdi_10\na;30,0;12;1\nb;28;n/a;2\n"
BY_DAY = {"participant": "id", "period": "p", "day": "d"}


def excel():
    import io

    import pandas as pd

    buffer = io.BytesIO()
    pd.DataFrame(LONG).to_excel(buffer, index=False)
    return buffer.getvalue()


def parquet():
    import io

    import pandas as pd

    buffer = io.BytesIO()
    pd.DataFrame(LONG).to_parquet(buffer)
    return buffer.getvalue()


def check_plain(table):
    def check(folder, content):
        write(folder / table.file, content)
        for bad_cells in ("stop", "missing"):
            read = table_or_error(read_tables, folder, [table], bad_cells=bad_cells)
            if read is None:
                continue
            assert not read.duplicated(["participant", "period", "arm", "day"]).any()
            for name, highest in (("bdi_10", 3), ("madrs_total", 60)):
                if name in read:
                    assert read[name].dropna().between(0, highest).all()

    return check


WIDE = PlainTable(
    "wide.csv",
    "id",
    wide_pattern=r"(?P<name>.+)_p(?P<period>[12])d(?P<day>\d+)",
    delimiter=";",
    decimal=",",
)
CHECKS = {
    "csv": (LONG_TEXT, check_plain(PlainTable("long.csv", **BY_DAY))),
    "wide": (WIDE_TEXT, check_plain(WIDE)),
    "excel": (excel(), check_plain(PlainTable("long.xlsx", **BY_DAY))),
    "parquet": (parquet(), check_plain(PlainTable("long.parquet", **BY_DAY))),
    "participants": (PARTICIPANTS, check_participants),
    "phenotype": (PHENOTYPE, check_phenotype),
    "nda": (NDA, check_nda),
    "tables": (TABLE, check_tables),
    "stats": (STATS, check_stats),
    "sidecar": (SIDECAR, check_sidecar),
}


def fuzz(name, folder, files):
    original, check = CHECKS[name]
    check(folder, original)

    @settings(deadline=None, max_examples=files, database=None)
    @given(mutations(original))
    def all_of_them(content):
        check(folder, content)

    with dask.config.set(scheduler="synchronous"):
        all_of_them()


@pytest.mark.parametrize("name", CHECKS)
def test_mutated_files(tmp_path, name):
    fuzz(name, tmp_path, 100)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_ten_thousand_mutated_files(tmp_path, name):
    fuzz(name, tmp_path, 1_700)


def test_the_files_that_are_mutated_are_good(tmp_path):
    write(tmp_path / "participants.tsv", PARTICIPANTS)
    write(tmp_path / "phenotype" / "mood.tsv", PHENOTYPE)
    write(tmp_path / "subjects" / "a" / "stats" / "aseg.stats", STATS)
    assert len(read_participants(tmp_path).table) == 2
    assert len(read_phenotype(tmp_path, session_pattern=ARMS).table) == 3
    assert len(read_nda(write(tmp_path / "madrs01.txt", NDA), session_pattern=ARMS).table) == 1
    table = volumes_at(write(tmp_path / "aseg.tsv", TABLE))
    assert table.sizes == {"participant": 2, "region": 3}
    assert int(volumes_at(tmp_path / "subjects")["volume"].notnull().sum()) == 3
