"""Tables of SPSS, Stata and SAS as cells of text, read by pandas and pyreadstat."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.schema.errors import InputError
from ketadask.sources.cells import Cells, no_rows
from ketadask.sources.delimited import check_header, empty_file, read_error

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".sav", ".zsav", ".dta", ".xpt", ".sas7bdat")
_Labels = Mapping[str, Mapping[Any, str]]


def read_statistical(path: Path) -> Cells:
    """Read a table of SPSS, Stata or SAS; its rows count from 2, as if a header were row 1.

    Labels of values replace codes where a variable has two values, or where SPSS calls it nominal;
    other codes stay numbers, because labelled items have an order.
    """
    try:
        if not path.stat().st_size:
            raise empty_file(path)
    except OSError as error:
        raise read_error(path, error) from None
    try:
        frame, labels = _read(path)
    except ImportError:
        remedy = "pip install 'ketadask[spss]'"
        raise InputError("reading SPSS needs pyreadstat", file=path, remedy=remedy) from None
    except InputError:
        raise
    except Exception as error:  # the libraries fail in many ways on a damaged file
        raise InputError(
            f"cannot be read as {path.suffix} ({type(error).__name__})",
            file=path,
            remedy="export it again, or save it as CSV",
        ) from None
    return frame_cells(frame, path, labels)


def frame_cells(frame: pd.DataFrame, path: Path, labels: _Labels | None = None) -> Cells:
    """Return a table as cells of text; missing values are empty.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"id": [1.0, 2.0], "trt": [0, 1]})
    >>> frame_cells(table, Path("t.dta"), {"trt": {0: "placebo", 1: "drug"}}).columns
    {'id': ['1', '2'], 'trt': ['placebo', 'drug']}
    """
    check_header(path, 1, [str(name) for name in frame.columns])
    if not len(frame):
        raise no_rows(path)
    columns = {}
    for name in frame.columns:
        labels_of = dict((labels or {}).get(str(name), {}))
        columns[str(name)] = _texts(frame[name], labels_of)
    return Cells(path, columns, range(2, len(frame) + 2))


def _read(path: Path) -> tuple[pd.DataFrame, _Labels]:
    import pandas as pd

    ending = path.suffix.lower()
    if ending in (".sav", ".zsav"):
        import pyreadstat

        frame, meta = pyreadstat.read_sav(str(path))
        return frame, {
            name: labels
            for name, labels in meta.variable_value_labels.items()
            if meta.variable_measure.get(name) == "nominal" or _is_binary(frame[name])
        }
    if ending == ".dta":
        with pd.read_stata(path, iterator=True, convert_categoricals=False) as reader:
            labels = reader.value_labels()
        frame = pd.read_stata(path, convert_categoricals=False)
        return frame, {
            name: own for name, own in labels.items() if name in frame and _is_binary(frame[name])
        }
    return pd.read_sas(path, encoding="utf-8"), {}


def _is_binary(column: pd.Series) -> bool:
    return column.nunique() <= 2


def _texts(column: pd.Series, labels: Mapping[Any, str]) -> list[str]:
    missing = column.isna().tolist()
    return [
        "" if is_missing else _text(labels.get(value, value))
        for value, is_missing in zip(column.tolist(), missing, strict=True)
    ]


def _text(value: Any) -> str:
    if isinstance(value, datetime) and value.time() == datetime.min.time():
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value).strip()
