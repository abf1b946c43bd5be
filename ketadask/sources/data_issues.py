"""Issues in the files of a study: raised at once, or collected and reported."""

from __future__ import annotations

from dataclasses import dataclass, field

from ketadask.schema.errors import InputError, nearest

STOP, MISSING = "stop", "missing"


@dataclass
class DataIssues:
    """Wrong cells of the files of a study.

    Parameters
    ----------
    bad_cells
        ``stop`` raises the first wrong cell; ``missing`` collects all and treats them as missing.

    Examples
    --------
    >>> issues = DataIssues("missing")
    >>> issues.add(InputError("not a number", file="bdi.tsv", where="row 3", value="x"))
    >>> issues.records()[0]["problem"]
    'not a number'
    """

    bad_cells: str = STOP
    errors: list[InputError] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.bad_cells not in (STOP, MISSING):
            raise InputError(
                "unknown treatment of wrong cells",
                where="bad_cells",
                value=self.bad_cells,
                remedy=nearest(str(self.bad_cells), (STOP, MISSING)),
            )

    def add(self, error: InputError) -> None:
        """Raise ``error``, or collect it."""
        if self.bad_cells == STOP:
            raise error
        self.errors.append(error)

    def records(self) -> list[dict[str, str]]:
        """Return one record of plain text per issue: file, where, problem, value, remedy."""
        return [
            {
                "file": "" if error.file is None else str(error.file),
                "where": error.where or "",
                "problem": error.problem,
                "value": "" if error.value is None else str(error.value),
                "remedy": error.remedy or "",
            }
            for error in self.errors
        ]
