"""Tables of a study as Dask DataFrames, which know the search that they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dask.dataframe as dd
import pandas as pd

if TYPE_CHECKING:
    from dask.delayed import Delayed

    from ketadask.schema.checks import TableContract


class LazyTable(dd.DataFrame):
    """A Dask DataFrame with its origin, as `ketadask.judge` needs it.

    Whatever is derived from it is a plain Dask DataFrame; ``dask.persist`` keeps the origin.
    """

    def __init__(self, expr: Any, origin: Any) -> None:
        super().__init__(expr)  # type: ignore[no-untyped-call]
        object.__setattr__(self, "origin", origin)

    def __dask_postpersist__(self) -> tuple[Any, tuple[Any, ...]]:
        """Return how the table is rebuilt from computed blocks."""
        rebuild, arguments = super().__dask_postpersist__()  # type: ignore[no-untyped-call]

        def with_origin(graph: Any, *args: Any, **options: Any) -> LazyTable:
            return LazyTable(rebuild(graph, *args, **options).expr, self.origin)

        return with_origin, arguments


def lazy_table(blocks: Sequence[Delayed], contract: TableContract, origin: Any) -> LazyTable:
    """Return blocks that keep a contract as a table; they must have the types of `empty_block`."""
    meta = empty_block(contract)
    frame = dd.from_delayed(list(blocks), meta=meta, verify_meta=False)
    return LazyTable(frame.expr, origin)


def empty_block(contract: TableContract) -> pd.DataFrame:
    """Return a table without rows in the types of its contract, texts as pandas reads them."""
    text = pd.Series(["text"]).dtype
    table = contract.empty()
    return table.astype({name: text for name in table if table[name].dtype == object})


def as_block(table: pd.DataFrame, contract: TableContract) -> pd.DataFrame:
    """Return a table in the types of `empty_block`, with rows from 0 on."""
    types = empty_block(contract).dtypes.to_dict()
    return table.astype(types).reset_index(drop=True)
