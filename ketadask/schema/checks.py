"""Contracts of datasets and tables, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ketadask.schema.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

# Columns of the version before, and their names now.
_NEW_NAMES = {
    **{"share": "prevalence", "confirmed": "confirmed_rate", "p_beyond": "p_incremental"},
    **{"confirmed_low": "confirmed_rate_low", "confirmed_high": "confirmed_rate_high"},
    **{"d_low": "d_mean_low", "d_high": "d_mean_high"},
    **{"p_hits": "p_mean_hits", "d_hits": "d_mean_hits"},
    **{"train_share": "prevalence_train", "holdout_share": "prevalence_holdout"},
    **{"train_count": "support_train_mean", "holdout_count": "support_holdout_mean"},
    **{"family": "modality", "measure": "measurement_unit", "held_out": "n_held_out"},
    **{"coverage": "prevalence"},
}


@dataclass(frozen=True)
class Column:
    """A column or variable: its dtype kinds (letters of numpy), meaning and dimensions.

    A variable that is ``optional`` may be absent from a dataset.
    """

    kinds: str
    meaning: str
    dims: tuple[str, ...] = ()
    nullable: bool = True
    optional: bool = False


@dataclass(frozen=True)
class TableContract:
    """The columns a table must have, in order."""

    name: str
    columns: Mapping[str, Column]

    def check(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return ``table`` with its columns in contract order; an error names a wrong column."""
        missing = [name for name in self.columns if name not in table.columns]
        if missing:
            old = [name for name in table.columns if _NEW_NAMES.get(name) in missing]
            renamed = [f"rename {name!r} to {_NEW_NAMES[name]!r}" for name in old]
            raise InputError(
                f"{self.name} table lacks columns: {', '.join(missing)}", remedy="; ".join(renamed)
            )
        extra = [name for name in table.columns if name not in self.columns]
        if extra:
            raise InputError(f"{self.name} table has unknown columns", value=extra)
        for name, column in self.columns.items():
            _check_values(self.name, name, column, table[name])
        return table[list(self.columns)]

    def empty(self) -> pd.DataFrame:
        """Return a table without rows that satisfies the contract."""
        import numpy as np
        import pandas as pd

        dtypes = {"f": "float64", "i": "int64", "b": "bool", "O": "object", "T": "object"}
        return pd.DataFrame(
            {name: np.empty(0, dtypes[column.kinds[0]]) for name, column in self.columns.items()}
        )


@dataclass(frozen=True)
class DatasetContract:
    """The variables and coordinates a dataset must have, with their dimensions."""

    name: str
    variables: Mapping[str, Column]
    coordinates: Mapping[str, Column]
    attributes: tuple[str, ...] = field(default=())

    def check(self, dataset: xr.Dataset) -> xr.Dataset:
        """Return ``dataset`` unchanged; an error names a wrong variable."""
        for kind, contract, present in (
            ("variable", self.variables, dataset.data_vars),
            ("coordinate", self.coordinates, dataset.coords),
        ):
            for name, column in contract.items():
                if name not in present and column.optional:
                    continue
                if name not in present:
                    raise InputError(f"{self.name} dataset lacks the {kind} {name!r}")
                variable = dataset.variables[name]
                if variable.dims != column.dims:
                    raise InputError(
                        f"{self.name} dataset: {name!r} must have dimensions {column.dims}",
                        value=variable.dims,
                    )
                _check_values(self.name, name, column, variable)
        for name in self.attributes:
            if name not in dataset.attrs:
                raise InputError(f"{self.name} dataset lacks the attribute {name!r}")
        return dataset


def _check_values(owner: str, name: str, column: Column, values: Any) -> None:
    import pandas as pd

    kind = values.dtype.kind if hasattr(values.dtype, "kind") else "O"
    if isinstance(values.dtype, pd.StringDtype):
        kind = "O"
    if kind not in column.kinds:
        raise InputError(
            f"{owner}: {name!r} must be of kind {column.kinds!r}", value=str(values.dtype)
        )
    if column.nullable or kind in "biuSU":
        return
    # Of an array in memory without the overhead of xarray.
    missing = values.isnull() if getattr(values, "chunks", None) else pd.isnull(values.values)
    if bool(missing.any()):
        raise InputError(f"{owner}: {name!r} has missing values")
