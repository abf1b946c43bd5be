"""Settings of a search of personas: those of a study, and those of a notebook only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from ketadask import names as nm
from ketadask.kernels.settings import LiteralSettings, SearchSettings, SettingError, option
from ketadask.schema.errors import InputError


@dataclass(frozen=True, kw_only=True)
class LengthSettings(SearchSettings):
    """Settings of the section ``search`` of a study."""

    min_literals: int = option(
        1,
        "fewest value ranges of a persona; one that fewer ranges describe as well is left out",
        ge=1, le=4,
    )  # fmt: skip

    def check(self) -> None:
        """Raise `SettingError` if an option is out of bounds, or two contradict each other."""
        super().check()
        if self.min_literals > self.max_literals:
            raise SettingError(
                "min_literals",
                self.min_literals,
                f"min_literals is above max_literals {self.max_literals}",
                "lower min_literals, or raise max_literals",
            )


@dataclass(frozen=True, kw_only=True)
class PersonaSettings(LengthSettings, LiteralSettings):
    """All options of `PersonaSearch`: those of a study, and those of a notebook only."""

    include: Sequence[str] | None = option(
        None, "features or modalities to search, by name; all if not given"
    )
    exclude: Sequence[str] | None = option(None, "features or modalities to exclude, by name")
    max_seconds: float | None = option(
        None, "most seconds of an exact search; the results then depend on the machine", ge=0
    )

    def check(self) -> None:
        """Raise `InputError` if an option is out of bounds, or two contradict each other."""
        try:
            super().check()
        except SettingError as error:
            of_literals = error.name in {field.name for field in fields(LiteralSettings)}
            section = "literals" if of_literals else "search"
            raise InputError(
                error.problem,
                where=f"{section}.{error.name}",
                value=error.value,
                remedy=error.remedy,
            ) from None

    @property
    def polarities(self) -> tuple[str, ...]:
        """Polarities that are searched."""
        return nm.POLARITIES if self.polarity == "both" else (self.polarity,)
