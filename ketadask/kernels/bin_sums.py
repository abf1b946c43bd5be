"""Sums of whole weights over parts of many covers, one bin of units after the other.

Covers are split into groups of units as in `byte_sums`, and one instruction looks up the sums of a
group for 32 or 64 covers. Sums have 16 bits and wrap around: differences of sums are exact as long
as they have 16 bits themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ketadask.kernels.byte_sums import SUBSETS, lanes, look_up_of, units_per_group
from ketadask.kernels.compiled import kernel

COLUMNS = 128
"""Covers that lie side by side and are summed at once."""


@kernel()
def largest_weight() -> int:
    """Return the largest whole weight of which a group has at most 127."""
    return int(127 // units_per_group())


@kernel()
def byte_order() -> np.ndarray:
    """Return where each of `COLUMNS` covers lies, so that sums come out in order.

    Bytes are added in pairs: the first of each pair come out first.
    """
    order, per = np.empty(COLUMNS, dtype=np.int64), lanes()
    for column in range(COLUMNS):
        register, i = column // per * per, column % per
        order[column] = register + (2 * i if i < per // 2 else 2 * i - per + 1)
    return order


@intrinsic
def _add_groups(
    typing_context: Any, block: Any, row: Any, table: Any, first: Any, last: Any, sums: Any,
    out: Any, bias: Any,
) -> Any:  # fmt: skip
    """Add groups ``first..last`` of the common parts of a row and a block to its sums.

    All but the groups and ``bias``, which is subtracted from the sums in ``out``, are addresses.
    """
    return types.int64(*[types.int64] * 8), _emit_add


def _emit_add(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    block, row, table, first, last, sums, out, bias = arguments
    look_up = look_up_of(context)
    if look_up is None:
        raise TypeError("the processor does not look up bytes; see has_byte_lookup")
    n_lanes, subsets = look_up.lanes, 1 << look_up.units
    byte, short, word = ir.IntType(8), ir.IntType(16), ir.IntType(64)
    vector, pairs = ir.VectorType(byte, n_lanes), ir.VectorType(short, n_lanes // 2)
    gather = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, ir.FunctionType(vector, [vector, vector]), look_up.name
    )

    def at(address: Any, offset: Any, kind: Any) -> Any:
        return builder.inttoptr(builder.add(address, offset), kind.as_pointer())

    def constant(value: int) -> Any:
        return ir.Constant(word, value)

    def splat(value: Any, kind: Any) -> Any:
        empty, zero = ir.Constant(kind, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        index = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), [0] * kind.count)
        first = builder.insert_element(empty, value, zero)
        return builder.shuffle_vector(first, first, index)

    pattern = list(range(subsets)) * (n_lanes // subsets)
    index = ir.Constant(ir.VectorType(ir.IntType(32), n_lanes), pattern)
    eight = ir.Constant(pairs, [8] * (n_lanes // 2))
    n_registers, size = COLUMNS // n_lanes, n_lanes
    registers = []
    for i in range(2 * n_registers):
        register = cgutils.alloca_once(builder, pairs)  # type: ignore[no-untyped-call]
        builder.store(builder.load(at(sums, constant(size * i), pairs), align=1), register)
        registers.append(register)
    with cgutils.for_range_slice(builder, first, last, constant(1), inc=True) as (group, _):
        own = splat(builder.load(at(row, group, byte), align=1), vector)
        offset = builder.mul(group, constant(SUBSETS))
        weights = builder.load(at(table, offset, ir.VectorType(byte, subsets)), align=1)
        if n_lanes > subsets:
            weights = builder.shuffle_vector(weights, weights, index)
        own = builder.and_(ir.Constant(vector, pattern), own)
        weights = builder.call(gather, [weights, own])
        start = builder.mul(group, constant(COLUMNS))
        for i in range(n_registers):
            part = builder.load(at(block, builder.add(start, constant(size * i)), vector), align=1)
            values = builder.bitcast(builder.call(gather, [weights, part]), pairs)
            both, high = registers[2 * i], registers[2 * i + 1]
            builder.store(builder.add(builder.load(both), values), both)
            builder.store(builder.add(builder.load(high), builder.lshr(values, eight)), high)
    less = splat(builder.trunc(bias, short), pairs)
    for i in range(n_registers):
        both, high = builder.load(registers[2 * i]), builder.load(registers[2 * i + 1])
        builder.store(both, at(sums, constant(2 * size * i), pairs), align=1)
        builder.store(high, at(sums, constant(2 * size * i + size), pairs), align=1)
        low = builder.sub(both, builder.shl(high, eight))
        for j, values in ((2 * i, low), (2 * i + 1, high)):
            builder.store(builder.sub(values, less), at(out, constant(size * j), pairs), align=1)
    return context.get_constant(types.int64, 0)


add_groups: Any = _add_groups
