"""Fingerprints depend on content, on all of it, and on nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ketadask.schema.errors import InputError
from ketadask.store.fingerprints import code_version, file_hash, fingerprint, source_hash

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
DTYPES = ["f8", "f4", "i8", "i4", "u1", "?", "U3", "M8[D]", "c16"]
ARRAYS = hnp.arrays(  # missing values have a test of their own
    dtype=st.sampled_from(DTYPES),
    elements={"allow_nan": False},
    shape=hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4),
)


def reverse_keys(value):
    if isinstance(value, dict):
        return {key: reverse_keys(value[key]) for key in reversed(value)}
    return [reverse_keys(item) for item in value] if isinstance(value, list) else value


@given(JSON)
def test_order_of_keys_does_not_matter(value):
    assert fingerprint(value) == fingerprint(reverse_keys(value))


@given(JSON, JSON)
def test_equal_exactly_when_the_values_are(one, two):
    # repr distinguishes 1, 1.0 and True, as the fingerprint does
    def canonical(value):
        if isinstance(value, dict):
            return {key: canonical(value[key]) for key in sorted(value)}
        return [canonical(item) for item in value] if isinstance(value, list) else value

    same = repr(canonical(one)) == repr(canonical(two))
    assert (fingerprint(one) == fingerprint(two)) == same


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        ("1", 1),
        (None, "None"),
        ("", None),
        ([], {}),
        ([[1], 2], [1, [2]]),
        (["ab"], ["a", "b"]),
        ({"a": {"b": 1}}, {"a": 1, "b": 1}),
        (b"a", "a"),
        (date(2024, 1, 2), "2024-01-02"),
        (np.zeros(2), [0.0, 0.0]),
        ([1, 2], [2, 1]),
    ],
)
def test_different_kinds_differ(one, two):
    assert fingerprint(one) != fingerprint(two)


def test_equivalent_containers_and_scalars():
    assert fingerprint((1, [2, (3,)])) == fingerprint([1, (2, [3])])
    assert fingerprint({"b", "a", "c"}) == fingerprint(frozenset("cab"))
    assert fingerprint(np.float64(0.5), np.int32(3), np.bool_(True)) == fingerprint(0.5, 3, True)
    assert fingerprint("a", "b") != fingerprint(["a", "b"])


@given(ARRAYS)
def test_memory_layout_and_byte_order_do_not_matter(values):
    expected = fingerprint(values)
    assert fingerprint(np.asfortranarray(values)) == expected
    assert fingerprint(values[::-1][::-1]) == expected
    assert fingerprint(values.astype(values.dtype.newbyteorder(">"))) == expected


@given(ARRAYS)
def test_shape_and_dtype_matter(values):
    assert fingerprint(values) != fingerprint(values[np.newaxis])
    other = {"f": "f16", "i": "i2", "u": "u8", "b": "i1", "U": "U9", "M": "M8[s]", "c": "c32"}
    assert fingerprint(values) != fingerprint(values.astype(other[values.dtype.kind]))


@given(ARRAYS, ARRAYS)
def test_arrays_are_the_same_exactly_when_their_bytes_are(one, two):
    same = (one.dtype, one.shape, one.tobytes()) == (two.dtype, two.shape, two.tobytes())
    assert (fingerprint(one) == fingerprint(two)) == same


@given(ARRAYS, st.data())
def test_every_element_matters(values, data):
    index = data.draw(st.integers(0, values.size - 1))
    other = values.copy()
    other.reshape(-1)[index] = np.asarray(1 if values.reshape(-1)[index] != 1 else 0).astype(
        values.dtype
    )
    differs = other.tobytes() != values.tobytes()
    assert (fingerprint(values) != fingerprint(other)) == differs


def test_all_missing_values_are_one_missing_value():
    quiet, negative = np.array([np.nan]), np.array([np.nan])
    negative.view("u8")[0] |= np.uint64(1) << np.uint64(63)
    assert negative.tobytes() != quiet.tobytes()
    assert fingerprint(quiet) == fingerprint(negative)
    assert fingerprint(quiet) != fingerprint(np.array([0.0]))


def test_large_arrays_are_hashed_to_the_end():
    values = np.zeros(1 << 18)
    other = values.copy()
    other[-1] = 1
    assert fingerprint(values) != fingerprint(other)


def test_text_and_object_arrays():
    assert fingerprint(np.array(["a", None], object)) == fingerprint(np.array(["a", None], object))
    assert fingerprint(np.array(["a", "b"], object)) != fingerprint(np.array(["ab", ""], object))
    assert fingerprint(np.array([], object)) != fingerprint(np.zeros((0, 2), object))
    one = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    other = np.array([(1, 2.0)], dtype=[("a", "i4"), ("c", "f8")])
    assert fingerprint(one) != fingerprint(other)


def test_paths_count_by_content(tmp_path):
    one, two = tmp_path / "one", tmp_path / "elsewhere" / "two"
    (one / "deep").mkdir(parents=True)
    (one / "a.tsv").write_text("x\n")
    (one / "deep" / "b.tsv").write_text("y\n")
    shutil.copytree(one, two)
    assert fingerprint(one) == fingerprint(two)
    assert fingerprint(one / "a.tsv") == fingerprint(two / "a.tsv")
    (two / ".hidden").write_text("no matter")
    assert fingerprint(one) == fingerprint(two)
    (two / "deep" / "b.tsv").write_text("z\n")
    assert fingerprint(one) != fingerprint(two)
    shutil.copy(one / "deep" / "b.tsv", two / "deep" / "b.tsv")
    (two / "deep" / "b.tsv").rename(two / "deep" / "c.tsv")
    assert fingerprint(one) != fingerprint(two)


def test_links_to_folders_count_by_content(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.tsv").write_text("x")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "data").symlink_to(tmp_path / "real")
    before = fingerprint(tmp_path / "study")
    (tmp_path / "real" / "a.tsv").write_text("y")
    assert fingerprint(tmp_path / "study") != before


def test_an_error_names_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"gone\.tsv: cannot read the file .*No such file"):
        fingerprint({"folder": tmp_path / "gone.tsv"})
    (tmp_path / "link.tsv").symlink_to(tmp_path / "not-fetched")
    with pytest.raises(InputError, match=r"link\.tsv"):
        fingerprint(tmp_path)


@dataclass(frozen=True, eq=False)
class Box:
    width: float
    content: np.ndarray


@dataclass(frozen=True, eq=False)
class Bag:
    width: float
    content: np.ndarray


def test_dataclasses_count_by_kind_and_fields():
    assert fingerprint(Box(1.0, np.arange(3))) == fingerprint(Box(1.0, np.arange(3)))
    assert fingerprint(Box(1.0, np.arange(3))) != fingerprint(Box(2.0, np.arange(3)))
    assert fingerprint(Box(1.0, np.arange(3))) != fingerprint(Bag(1.0, np.arange(3)))


@pytest.mark.parametrize("value", [object(), Box, len, np.ma.masked_array([1], [True])])
def test_objects_without_content_are_an_error(value):
    with pytest.raises(TypeError, match="cannot fingerprint"):
        fingerprint([value])


def test_file_hash_is_sha256(tmp_path):
    file = tmp_path / "abc"
    file.write_bytes(b"abc")
    assert file_hash(file).startswith("ba7816bf8f01cfea414140de5dae2223")  # FIPS 180-2, B.1


def test_the_same_in_every_process():
    value = {"a": {"x", "y", "z"}, "b": [1, 2.5, None], "c": "ä"}
    code = f"from ketadask.store.fingerprints import fingerprint; print(fingerprint({value!r}))"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        output = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
        assert output.strip() == fingerprint(value)


SOURCE = '''"""Scores."""

import numpy as np

LEAST = 0.5
"""Smallest score."""


def score(x: float, *, power: int = 2) -> float:
    """Return a power."""
    total = np.sum([x**power, LEAST])  # of both
    return total
'''


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ('"""Scores."""', '"""Scores of units,\n\nwith an example."""', False),
        ('"""Scores."""\n', "", False),
        ('"""Smallest score."""\n', "", False),
        ('    """Return a power."""\n', "", False),
        ("  # of both", "", False),
        ("LEAST = 0.5\n", "LEAST = 0.5\n\n# a remark\n", False),
        ("np.sum([x**power, LEAST])", "np.sum(\n        [(x**power), LEAST],\n    )", False),
        ("\n", "\r\n", False),
        ("0.5", "0.25", True),
        ("0.5", "None", True),
        ("power: int = 2", "power: int = 3", True),
        ("-> float", "-> int", True),
        ("    return total", "    total += 1\n    return total", True),
        ("score(x", "scores(x", True),
        ("x**power", "x*power", True),
        ("*, power", "power", True),
    ],
)
def test_code_counts_and_documentation_does_not(old, new, counts, tmp_path):
    file, other = tmp_path / "one.py", tmp_path / "two.py"
    file.write_text(SOURCE)
    other.write_bytes(SOURCE.replace(old, new).encode())
    assert other.read_bytes() != file.read_bytes()
    assert (source_hash(file) != source_hash(other)) == counts


def test_source_hash_is_the_same_in_every_version_of_python(tmp_path):
    file = tmp_path / "one.py"
    file.write_text(SOURCE)
    assert source_hash(file).startswith("f2ab267f8a1e68f1")


def test_code_version_counts_numeric_floors_only(tmp_path, monkeypatch):
    import ketadask

    package, source = tmp_path / "ketadask", Path(ketadask.__file__).parent
    floors = [path.relative_to(source) for path in source.glob("*/__init__.py")]
    for file in ("names.py", "study/from_settings.py", *floors):
        (package / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / file, package / file)
    monkeypatch.setattr(ketadask, "__file__", str(package / "__init__.py"))

    def change(file, text):
        (package / file).parent.mkdir(parents=True, exist_ok=True)
        (package / file).write_text(text)
        code_version.cache_clear()

    code_version.cache_clear()
    numbers, verdicts = code_version(), code_version("study", "report")
    try:
        # Verdicts are computed again; where settings become a cohort and a search, all is.
        for file, counts in (
            ("cli/__init__.py", False),
            ("report/__init__.py", False),
            ("study/summary.py", False),
            ("study/judge.py", False),
            ("study/from_settings.py", True),
            ("names.py", True),
            ("kernels/__init__.py", True),
            ("simulate/extra.tsv", True),
            ("kernels/__pycache__/cache.nbi", False),
            ("kernels/__pycache__/0f3a/cache.nbi", False),
        ):
            change(file, "CHANGED = 1\n")
            assert (code_version() != numbers) == counts, file
            counts_for_verdicts = counts or file.startswith(("study", "report"))
            assert (code_version("study", "report") != verdicts) == counts_for_verdicts, file
            numbers, verdicts = code_version(), code_version("study", "report")
    finally:
        code_version.cache_clear()
