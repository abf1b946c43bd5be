"""Tables as parquet bytes: equal tables give equal bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_ROWS_PER_GROUP = 1 << 20
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")
# Also their wide forms, which East Asian spreadsheets accept; they skip blanks before them.
_FORMULA = re.compile(r"((?:^|[;|\t\r\n])[ \t\r\n]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


def table_bytes(table: pd.DataFrame) -> bytes:
    """Render a table as parquet; a named index becomes columns, an unnamed one is left out.

    The bytes depend on the columns alone, not on the pandas version, the index, ``attrs``, or on
    whether texts are ``str`` or ``object``.

    Examples
    --------
    >>> import pandas as pd
    >>> one, two = pd.DataFrame({"q": [1.0]}), pd.DataFrame({"q": [0.0, 1.0]}).iloc[1:]
    >>> table_bytes(one) == table_bytes(two)
    True
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if any(name is not None for name in table.index.names):
        table = table.reset_index()
    arrow = pa.Table.from_pandas(table, preserve_index=False, nthreads=1)
    arrow = _without_large_texts(arrow).replace_schema_metadata(None).combine_chunks()
    sink = pa.BufferOutputStream()
    pq.write_table(
        arrow, sink, compression="zstd", compression_level=3, row_group_size=_ROWS_PER_GROUP
    )
    return bytes(sink.getvalue())


def csv_text(table: pd.DataFrame) -> str:
    """Render a table as CSV in which no spreadsheet finds a formula.

    A text that begins with ``=``, ``+``, ``-`` or ``@``, at its start or after another separator
    than the comma, gets an apostrophe before it; numbers do not.

    Examples
    --------
    >>> import pandas as pd
    >>> csv_text(pd.DataFrame({"name": ["=1+1", "-2", "a;@b"], "q": [-1.5, 2.0, 3.0]}))
    "name,q\\n'=1+1,-1.5\\n-2,2.0\\na;'@b,3.0\\n"
    """
    texts = table.select_dtypes(exclude=["number", "bool", "datetime"])
    safe = table.assign(**{str(name): texts[name].map(_without_formula) for name in texts})
    safe.columns = safe.columns.map(_without_formula)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _without_formula(value: Any) -> Any:
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    return _FORMULA.sub(r"\1'", re.sub(r"\r\n?", "\n", value))


def table_from_bytes(content: bytes) -> pd.DataFrame:
    """Read a table back from parquet bytes.

    Examples
    --------
    >>> import pandas as pd
    >>> table_from_bytes(table_bytes(pd.DataFrame({"text": ["a > 1"], "q": [2.5]})))
        text    q
    0  a > 1  2.5
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table: pd.DataFrame = pq.read_table(pa.BufferReader(content), use_threads=False).to_pandas()
    return table


def _without_large_texts(arrow: pa.Table) -> pa.Table:
    import pyarrow as pa

    fields = [
        field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field
        for field in arrow.schema
    ]
    return arrow.cast(pa.schema(fields))
