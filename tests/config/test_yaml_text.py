"""YAML that would take minutes or gigabytes to read is refused at once."""

from __future__ import annotations

import pytest

from ketadask.config.yaml_text import parse_value, read_mapping
from ketadask.schema.errors import InputError


def alias_bomb(levels):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (alias_bomb(9), r"study\.yaml: line 4: too many aliases .*; start from"),
        ("a: " + "[" * 3000 + "]" * 3000, r"study\.yaml: line 1: too many nested levels"),
        ("a: " + "x" * 2_000_000, r"study\.yaml: the file is too large, found 2000003"),
    ],
)
def test_a_hostile_file_is_refused(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_mapping(path)


def test_a_few_aliases_are_allowed():
    value = parse_value("{a: &x [1, 2], b: *x}", where="--set data")
    assert value == {"a": [1, 2], "b": [1, 2]}


def test_a_long_value_is_shortened_in_its_error():
    error = InputError("not a number", file="t.csv", where="row 2", value="7" * 5_000_000)
    assert len(str(error)) < 500
    assert "(5,000,002 characters)" in str(error)
