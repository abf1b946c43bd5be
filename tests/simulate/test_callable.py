"""`kd.simulate(...)` works however the package was reached before."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ketadask as kd
import ketadask.simulate
from ketadask.schema.errors import InputError


def test_the_package_is_the_call(tmp_path):
    for name in ("one", "two"):
        folder = kd.simulate_study(tmp_path / name, participants=2)
        assert (folder / "truth.json").is_file()
    with pytest.raises(InputError, match="participants"):
        ketadask.simulate_study(tmp_path / "none", participants=0)
    with pytest.raises(AttributeError, match="no attribute 'simulation'"):
        _ = ketadask.simulate_study.simulation


@pytest.mark.parametrize("before", ["import ketadask.simulate.study", "kd.simulate", "pass"])
def test_whatever_was_imported_before(before, tmp_path):
    code = f"import ketadask as kd\n{before}\nkd.simulate({str(tmp_path / 'a')!r}, participants=2)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "a" / "truth.json").is_file()
