"""Tables of 20,000 columns or 300,000 rows are read in linear time and little memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ketadask.sources.freesurfer import open_volumes
from ketadask.sources.participants import read_participants
from ketadask.sources.phenotype import read_phenotype
from ketadask.sources.plain_tables import PlainTable, read_tables

WIDE = r"(?P<name>.+)_p(?P<period>[12])d(?P<day>\d+)"
CSV = PlainTable("t.csv", participant="id", period="p", day="d")
# By kind: file, its first columns, their cells in row i, how it is read.
KINDS = {
    "csv": (
        *("t.csv", ["id", "p", "d", "madrs_total"]),
        lambda i: [f"s{i // 2}", "1", str(7 * (i % 2)), str(i % 60)],
        lambda folder: read_tables(folder, [CSV]),
    ),
    "wide": (
        *("t.csv", ["id", "madrs_total_p1d0", "madrs_total_p1d7"]),
        lambda i: [f"s{i}", "30", str(i % 60)],
        lambda folder: read_tables(folder, [PlainTable("t.csv", "id", wide_pattern=WIDE)]),
    ),
    "phenotype": (
        *("phenotype/t.tsv", ["participant_id", "session_id", "madrs_total"]),
        lambda i: [f"s{i // 2}", f"ses-p1d{7 * (i % 2)}", str(i % 60)],
        read_phenotype,
    ),
    "participants": (
        *("participants.tsv", ["participant_id", "age", "sex"]),
        lambda i: [f"s{i}", str(20 + i % 50), "FM"[i % 2]],
        read_participants,
    ),
    "volumes": (
        *("aseg.tsv", ["Measure:volume", "Left-Thalamus", "EstimatedTotalIntraCranialVol"]),
        lambda i: [f"s{i}", str(7000 + i % 997), "1500000"],
        lambda folder: open_volumes([folder / "aseg.tsv"]).compute(scheduler="synchronous"),
    ),
}


def write_table(folder, kind, n_columns, n_rows):
    file, header, cells, _ = KINDS[kind]
    names = [f"x{j // 2}_p1d{7 * (j % 2)}" if kind == "wide" else f"x{j}" for j in range(n_columns)]
    values = [f"{100 + j % 7}.5" for j in range(n_columns)]
    separator = "," if file.endswith("csv") else "\t"
    (folder / file).parent.mkdir(exist_ok=True)
    with (folder / file).open("w") as text:
        text.write(separator.join([*header, *names]) + "\n")
        for i in range(n_rows):
            text.write(separator.join([*cells(i), *values]) + "\n")


PROGRAM = """
import json, sys, time
from pathlib import Path
from ketadask.store.environment import peak_memory
from tests.sources.test_large_tables import KINDS
start = time.process_time()
KINDS[sys.argv[1]][3](Path(sys.argv[2]))
print(json.dumps([time.process_time() - start, peak_memory()]))
"""


def cost(folder, kind, n_columns, n_rows):
    """Return processor seconds and peak bytes of a process that reads a table."""
    write_table(folder, kind, n_columns, n_rows)
    words = [sys.executable, "-c", PROGRAM, kind, str(folder)]
    return json.loads(subprocess.run(words, capture_output=True, check=True, text=True).stdout)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(20_000, 40), (8, 300_000)], ids=["columns", "rows"])
def test_reading_takes_linear_time_and_little_memory(tmp_path, kind, size):
    n_columns, n_rows = size
    is_wide = n_columns > n_rows
    quarter = (n_columns // 4, n_rows) if is_wide else (n_columns, n_rows // 4)
    seconds, n_bytes = cost(tmp_path, kind, n_columns, n_rows)
    print(
        f"{kind}: {n_columns:,} columns, {n_rows:,} rows, {seconds:.1f} s, {n_bytes / 1e6:.0f} MB"
    )
    assert seconds < 20
    assert n_bytes < 2e9
    assert seconds < 10 * cost(tmp_path, kind, *quarter)[0] + 0.5  # linear: 4, quadratic: 16
