"""Compiled code never outlives the sources that it came from, and importing deletes no file."""

import subprocess
import sys

INNER = (
    "from ketadask.kernels.compiled import kernel\n@kernel()\ndef inner(x):\n    return x + {}\n"
)
OUTER = (
    "from ketadask.kernels.compiled import kernel\nfrom inner import inner\n"
    "@kernel()\ndef outer(x):\n    return inner(x)\n"
)


def compiled_files(folder):
    return {
        file: (file.stat().st_mtime_ns, file.stat().st_size)
        for file in (folder / "__pycache__").glob("kernels-*/*.nb[ic]")
    }


def test_a_change_in_a_called_file_reaches_its_caller_and_old_code_stays(tmp_path, monkeypatch):
    """Numba's own check sees only the file of the caller."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (tmp_path / "outer.py").write_text(OUTER)

    def run(increment):
        (tmp_path / "inner.py").write_text(INNER.format(increment))
        command = [sys.executable, "-B", "-c", "from outer import outer; print(outer(0))"]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return ran.stdout.strip()

    assert run(1) == "1"
    first = compiled_files(tmp_path)
    assert run(2) == "2"
    both = compiled_files(tmp_path)
    assert len(first) == len(both) / 2
    assert run(1) == "1"
    assert compiled_files(tmp_path) == both | first
