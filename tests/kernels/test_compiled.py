"""Compiled code never outlives the sources that it came from."""

import subprocess
import sys
import textwrap

from ketadask.kernels.compiled import STAMP, forget_if_changed


def test_unchanged_sources_keep_what_is_compiled(tmp_path):
    (tmp_path / "one.py").write_text("a = 1\n")
    cache = tmp_path / "cache"
    assert forget_if_changed(tmp_path, cache)
    (cache / "one.nbi").write_text("compiled")
    assert not forget_if_changed(tmp_path, cache)
    assert (cache / "one.nbi").exists()
    (tmp_path / "one.py").write_text("a = 2\n")
    assert forget_if_changed(tmp_path, cache)
    assert [file.name for file in cache.iterdir()] == [STAMP]


def test_a_change_in_a_called_file_reaches_its_caller(tmp_path):
    """The fault itself: without the check the caller goes on with the old code."""
    package = tmp_path / "numbers"
    package.mkdir()
    inner = "from numba import njit\n@njit(cache=True)\ndef inner(x):\n    return x + {}\n"
    (package / "outer.py").write_text(
        "from numba import njit\nfrom numbers_inner import inner\n"
        "@njit(cache=True)\ndef outer(x):\n    return inner(x)\n"
    )
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[1])
        if sys.argv[2] == "check":
            from ketadask.kernels.compiled import forget_if_changed
            forget_if_changed(Path(sys.argv[1]))
        from outer import outer
        print(outer(0))
    """)

    def told(number, check):
        (package / "numbers_inner.py").write_text(inner.format(number))
        words = [sys.executable, "-c", code, str(package), check]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    assert told(1, "check") == "1"
    assert told(2, "no") == "1"  # numba's own check does not see it
    assert told(2, "check") == "2"


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path):
    (tmp_path / "one.py").write_text("a = 1\n")
    (tmp_path / "file").write_text("in the way")
    assert forget_if_changed(tmp_path, tmp_path / "file" / "cache")
