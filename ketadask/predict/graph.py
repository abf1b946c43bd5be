"""The graph of the predictor: one task per range of outer folds or permutations.

Strategy: the cases are one node that every task shares; a task fits its outer folds (all inner
folds and candidates of them) on one thread, writes predictions, choices and weights as one part
and returns only the receipt. Outer folds and permutations draw from their numbers, so ranges,
workers and order change nothing, and a part that exists is never computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dask.base import tokenize
from dask.delayed import Delayed, delayed

from ketadask.predict.classifier_data import ClassifierData
from ketadask.predict.nested import NestedCV
from ketadask.predict.permutations import permutation_rows
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import Range, range_name


def fold_blocks(
    cases: ClassifierData, nested: NestedCV, ranges: Sequence[Range], parts: Parts
) -> list[Delayed]:
    """One task per range of outer folds; each writes predictions, choices and weights."""
    return _tasks("fold", _write_folds, cases, nested, ranges, parts)


def permutation_blocks(
    cases: ClassifierData, nested: NestedCV, ranges: Sequence[Range], parts: Parts
) -> list[Delayed]:
    """One task per range of permutations (0 is the cohort itself); each writes statistics."""
    return _tasks("permutation", _write_permutations, cases, nested, ranges, parts)


def _tasks(
    word: str,
    write: Any,
    cases: ClassifierData,
    nested: NestedCV,
    ranges: Sequence[Range],
    parts: Parts,
) -> list[Delayed]:
    token = tokenize(cases)
    shared = delayed(cases, traverse=False, name=f"cases-{token}")
    asked = tokenize(token, nested, parts)[:12]  # an earlier result may still be held
    return [
        delayed(write)(
            shared, nested, numbers, parts, dask_key_name=f"{word}-{range_name(*numbers)}-{asked}"
        )
        for numbers in ranges
    ]


def _write_folds(cases: ClassifierData, nested: NestedCV, numbers: Range, parts: Parts) -> Receipt:
    import pandas as pd

    from ketadask.predict.scikit import one_thread

    folds = nested.frame.outer_folds(cases)
    with one_thread():
        made = [
            nested.fold(cases, number).tables(cases, folds)
            for number in range(numbers[0], numbers[1] + 1)
        ]
    tables = {name: pd.concat([m[name] for m in made], ignore_index=True) for name in made[0]}
    return parts.write(range_name(*numbers), tables)


def _write_permutations(
    cases: ClassifierData, nested: NestedCV, numbers: Range, parts: Parts
) -> Receipt:
    table = permutation_rows(cases, nested, *numbers)
    return parts.write(range_name(*numbers), {"permutations": table})
