"""The error for invalid input."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST_VALUE = 300


class InputError(ValueError):
    """Invalid input: the problem, its location, the value and the remedy.

    Parameters
    ----------
    problem
        The problem, as a short clause.
    file
        File of the value.
    where
        Cell, key, column or argument, for example ``row 3, column MADRS_Total``.
    value
        The invalid value.
    remedy
        How to correct it.

    Examples
    --------
    >>> print(InputError("unknown arm", file="p.tsv", where="row 2, arm", value="x",
    ...                  remedy="use active or control"))
    p.tsv: row 2, arm: unknown arm, found 'x'; use active or control
    """

    def __init__(
        self,
        problem: str,
        *,
        file: object = None,
        where: str | None = None,
        value: object = None,
        remedy: str | None = None,
    ) -> None:
        self.problem, self.file, self.where = problem, file, where
        self.value, self.remedy = value, remedy
        super().__init__(self._text())

    def _text(self) -> str:
        location = "".join(f"{part}: " for part in (self.file, self.where) if part)
        value = "" if self.value is None else f", found {_shorten(repr(self.value))}"
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{location}{self.problem}{value}{remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle keyword arguments too; the default pickling loses them."""
        return (_rebuild, (self.problem, self.file, self.where, self.value, self.remedy))


def _shorten(text: str) -> str:
    """Shorten a long value in its middle; a damaged table may have cells of megabytes."""
    if len(text) <= _LONGEST_VALUE:
        return text
    half = _LONGEST_VALUE // 2
    return f"{text[:half]} ... {text[-half:]} ({len(text):,} characters)"


def _rebuild(
    problem: str, file: object, where: str | None, value: object, remedy: str | None
) -> InputError:
    return InputError(problem, file=file, where=where, value=value, remedy=remedy)


def nearest(word: str, valid: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the closest valid word, or the list of valid words.

    Examples
    --------
    >>> nearest("pariticpant", ["participant", "arm"])
    "did you mean 'participant'?"
    """
    choices = list(valid)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "valid are " + ", ".join(choices)
