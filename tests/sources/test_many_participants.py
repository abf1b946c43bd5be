"""Fifty thousand participants are read in memory that the scores themselves set."""

import json
import subprocess
import sys

import pytest

READ = """
import json, resource, sys
from ketadask.sources.phenotype import read_phenotype
import pandas

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
table = read_phenotype(sys.argv[1]).table
held = int(table.memory_usage(deep=True).sum())
print(json.dumps({"rows": len(table), "held": held, "growth": peak() - before}))
"""


@pytest.mark.slow
def test_memory_is_a_few_times_what_is_kept(tmp_path):
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
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    print(f"{found['growth'] / 50_000:,.0f} bytes per participant")
    assert found["rows"] == 100_000
    assert found["growth"] < 8 * found["held"]
