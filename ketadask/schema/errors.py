"""The one error a person who gave us something wrong will read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something given to ketadask is wrong: says where, what was found, and what to do.

    Parameters
    ----------
    problem
        What is wrong, as a short clause.
    file
        File the value came from.
    where
        Cell, key, column or argument, for example ``row 3, column MADRS_Total``.
    value
        The offending value, shown as found.
    remedy
        What the reader should do about it.

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
        place = "".join(f"{part}: " for part in (self.file, self.where) if part)
        found = "" if self.value is None else f", found {self.value!r}"
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{place}{self.problem}{found}{remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        """Travel whole between processes: keyword arguments do not survive the default pickling."""
        return (_rebuild, (self.problem, self.file, self.where, self.value, self.remedy))


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
