"""Folders of FreeSurfer open lazily and reduce in bounded memory, and lose no number."""

import json
import subprocess
import sys

import pytest

from tests.benchmarks.volumes import main, measure_volumes


def test_what_was_written_is_what_is_read(tmp_path):
    found = measure_volumes(tmp_path, 20)
    assert found["largest_difference"] < 1e-6
    assert found["participants_per_core_s"] > 0


def test_it_prints_one_line_of_json(capsys):
    assert main(["--participants", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["participants"] == 3


@pytest.mark.slow
def test_five_thousand_participants_reduce_in_bounded_memory():
    words = [sys.executable, "-m", "tests.benchmarks.volumes", "--participants", "5000"]
    done = subprocess.run([*words, "--json"], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    print(f"{found['participants_per_core_s']:.0f} participants per second and core")
    assert found["largest_difference"] < 1e-6
    assert found["memory_growth_mb"] < 300
    assert found["open_seconds"] < found["total_seconds"] / 2
