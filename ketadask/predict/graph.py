"""The graph of the classifier: one task per range of outer folds or permutations.

Strategy: the cases are one node that every task shares; a task fits its outer folds (all their
inner folds and candidates) on one thread, writes predictions, choices and weights as one part and
returns only the receipt. Outer folds and permutations are drawn from their index, so ranges,
workers and order change nothing, and a complete part is never computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dask.base import tokenize
from dask.delayed import Delayed, delayed

from ketadask.predict.classifier_data import ClassifierData
from ketadask.predict.nested import NestedCV
from ketadask.predict.permutations import permutation_rows
from ketadask.predict.results import fold_tables
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import Range, range_name


def fold_blocks(
    cases: ClassifierData, nested_cv: NestedCV, ranges: Sequence[Range], parts: Parts
) -> list[Delayed]:
    """One task per range of outer folds; each writes predictions, choices and weights."""
    return _tasks("fold", _write_folds, cases, nested_cv, ranges, parts)


def permutation_blocks(
    cases: ClassifierData, nested_cv: NestedCV, ranges: Sequence[Range], parts: Parts
) -> list[Delayed]:
    """One task per range of permutations (0 is the cohort itself); each writes statistics."""
    return _tasks("permutation", _write_permutations, cases, nested_cv, ranges, parts)


def _tasks(
    name: str,
    write: Any,
    cases: ClassifierData,
    nested_cv: NestedCV,
    ranges: Sequence[Range],
    parts: Parts,
) -> list[Delayed]:
    token = tokenize(cases)
    node = delayed(cases, traverse=False, name=f"cases-{token}")
    key = tokenize(token, nested_cv, parts)[:12]  # the scheduler may still hold an earlier result
    return [
        delayed(write)(
            node, nested_cv, block, parts, dask_key_name=f"{name}-{range_name(*block)}-{key}"
        )
        for block in ranges
    ]


def _write_folds(cases: ClassifierData, nested_cv: NestedCV, block: Range, parts: Parts) -> Receipt:
    tables = fold_tables(cases, nested_cv, range(block[0], block[1] + 1))
    return parts.write(range_name(*block), tables)


def _write_permutations(
    cases: ClassifierData, nested_cv: NestedCV, block: Range, parts: Parts
) -> Receipt:
    table = permutation_rows(cases, nested_cv, *block)
    return parts.write(range_name(*block), {"permutations": table})
