"""Sums of weights over many one-word covers at once, by table look-up.

A cover is split into groups of units. For a group of four, the sums of the weights of its 16
subsets are a table of 16 bytes, and one instruction looks up the sums of 32 covers (AVX2) or 64
(AVX-512 BW); with AVX-512 VBMI it does so for groups of six. No unit is counted, and no support is
needed.

Sums are bytes and saturate. Groups are added from the lowest weights to the highest, so that
saturation never hides a sum that suffices: what is lost below -128 was negative, and after a sum
reached 127 all weights that follow are positive.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ketadask.kernels.compiled import kernel

GROUPS, SUBSETS = 16, 64
"""Most groups of units in a word, and room for the subsets of a group."""
LARGEST, SMALLEST = 127, -128
NARROW, WIDE = 64, 256
"""Covers looked up at once; a row of parts has `WIDE` to spare."""
_ROUNDING = 1e-9
_FIXED = 256


class _LookUp(NamedTuple):
    """Bytes that one instruction looks up, units of a group, and the name of the instruction."""

    lanes: int
    units: int
    name: str


_LOOK_UPS = {
    "+avx512vbmi": _LookUp(64, 6, "llvm.x86.avx512.permvar.qi.512"),
    "+avx512bw": _LookUp(64, 4, "llvm.x86.avx512.pshuf.b.512"),
    "+avx2": _LookUp(32, 4, "llvm.x86.avx2.pshuf.b"),
}


@functools.cache
def has_byte_lookup() -> bool:
    """Return whether the processor that numba compiles for looks up 32 bytes at once."""
    from numba.core.registry import cpu_target

    return look_up_of(cpu_target.target_context) is not None


def look_up_of(context: Any) -> _LookUp | None:
    """Return the best instruction of the processor."""
    triple, _, features = context.codegen().magic_tuple()
    if not triple.startswith("x86_64"):
        return None
    present = features.split(",")
    return next((_LOOK_UPS[name] for name in _LOOK_UPS if name in present), None)


@intrinsic
def _units_per_group(typing_context: Any) -> Any:
    """Return how many units one look-up sums: 4 or 6."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.int64, look_up_of(context).units)  # type: ignore[union-attr]

    return types.int64(), emit


@intrinsic
def _lanes(typing_context: Any) -> Any:
    """Return how many covers one look-up serves: 32 or 64."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.int64, look_up_of(context).lanes)  # type: ignore[union-attr]

    return types.int64(), emit


units_per_group: Any = _units_per_group
lanes: Any = _lanes


def _hits_of(covers: int) -> Any:
    """Return an intrinsic that compares ``covers`` covers at once."""

    @intrinsic
    def hits(
        typing_context: Any, parts: Any, stride: Any, first: Any, row: Any, table: Any,
        groups: Any, initial: Any, need: Any, out: Any,
    ) -> Any:  # fmt: skip
        """Mark the covers from ``first`` on whose sum with cover ``row`` reaches ``need``.

        ``parts``, ``table`` and ``out`` are addresses: of the parts (group, cover) with their
        ``stride``, of the sums (group, `SUBSETS`), and of words, a bit per cover, that keep the
        bits they have. Sums begin at ``initial``. Returns the new bits of all words, joined by
        "or".
        """
        return types.uint64(*[types.int64] * 9), functools.partial(_emit_hits, covers)

    return hits


def _emit_hits(covers: int, context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    parts, stride, first, row, table, groups, initial, need, out = arguments
    look_up = look_up_of(context)
    if look_up is None:
        raise TypeError("the processor does not look up bytes; see has_byte_lookup")
    lanes, subsets = look_up.lanes, 1 << look_up.units
    byte, word = ir.IntType(8), ir.IntType(64)
    vector = ir.VectorType(byte, lanes)
    binary = ir.FunctionType(vector, [vector, vector])

    def declare(name: str) -> Any:
        return cgutils.get_or_insert_function(builder.module, binary, name)  # type: ignore[no-untyped-call]

    gather, add = declare(look_up.name), declare(f"llvm.sadd.sat.v{lanes}i8")

    def variable(kind: Any) -> Any:
        return cgutils.alloca_once(builder, kind)  # type: ignore[no-untyped-call]

    def load(address: Any, kind: Any) -> Any:
        return builder.load(builder.inttoptr(address, kind.as_pointer()), align=1)

    def spread(value: Any, positions: list[int]) -> Any:
        index = ir.Constant(ir.VectorType(ir.IntType(32), lanes), positions)
        return builder.shuffle_vector(value, value, index)

    def splat(value: Any) -> Any:
        undefined, zero = ir.Constant(vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        return spread(builder.insert_element(undefined, value, zero), [0] * lanes)

    pattern = list(range(subsets)) * (lanes // subsets)
    start = splat(builder.trunc(initial, byte))
    sums = [variable(vector) for _ in range(covers // lanes)]
    for register in sums:
        builder.store(start, register)
    last = builder.sub(groups, ir.Constant(word, 1))
    at_part, at_table = variable(word), variable(word)
    builder.store(builder.add(parts, builder.mul(stride, last)), at_part)
    builder.store(builder.add(table, builder.mul(ir.Constant(word, SUBSETS), last)), at_table)
    with cgutils.for_range(builder, groups):
        at, at_weights = builder.load(at_part), builder.load(at_table)
        builder.store(builder.sub(at, stride), at_part)
        builder.store(builder.sub(at_weights, ir.Constant(word, SUBSETS)), at_table)
        own = splat(load(builder.add(at, row), byte))
        weights = load(at_weights, ir.VectorType(byte, subsets))
        weights = spread(weights, pattern) if lanes > subsets else weights
        if len(sums) > 2:  # one table for all, instead of an "and" for each
            own = builder.and_(ir.Constant(vector, pattern), own)
            weights = builder.call(gather, [weights, own])
        for index, register in enumerate(sums):
            there = builder.add(builder.add(at, first), ir.Constant(word, lanes * index))
            part = load(there, vector)
            part = part if len(sums) > 2 else builder.and_(part, own)
            values = builder.call(gather, [weights, part])
            builder.store(builder.call(add, [builder.load(register), values]), register)
    least = splat(builder.trunc(need, byte))
    hits: Any = ir.Constant(word, 0)
    for index in range(0, covers, 64):
        bits: Any = ir.Constant(word, 0)
        for part in range(64 // lanes):
            total = builder.load(sums[(index // lanes) + part])
            some = builder.bitcast(builder.icmp_signed(">=", total, least), ir.IntType(lanes))
            some = some if lanes == 64 else builder.zext(some, word)
            bits = builder.or_(bits, builder.shl(some, ir.Constant(word, lanes * part)))
        place = builder.add(out, ir.Constant(word, index // 8))
        both = builder.or_(bits, load(place, word))
        builder.store(both, builder.inttoptr(place, word.as_pointer()), align=1)
        hits = builder.or_(hits, bits)
    return hits


narrow_hits: Any = _hits_of(NARROW)
wide_hits: Any = _hits_of(WIDE)


@kernel()
def split_words(
    words: np.ndarray, count: int, units: np.ndarray, size: int, out: np.ndarray
) -> None:
    """Fill ``out[g, z]`` with the bits of the units of group g in ``words[z]``.

    ``units[:size]`` are the units of all groups, one group after the other.
    """
    one, per = np.uint64(1), units_per_group()
    for g in range((size + per - 1) // per):
        row, first = out[g], per * g
        # Past the last unit any bit will do: its weight is 0.
        a, b = np.uint64(units[first]), np.uint64(units[min(first + 1, size - 1)])
        c = np.uint64(units[min(first + 2, size - 1)])
        d = np.uint64(units[min(first + 3, size - 1)])
        for z in range(np.uint64(count)):
            v = words[z]
            row[z] = (
                (((v >> a) & one) | (((v >> b) & one) << one))
                | ((((v >> c) & one) << np.uint64(2)) | (((v >> d) & one) << np.uint64(3)))
            )  # fmt: skip
        if per > 4:
            a = np.uint64(units[min(first + 4, size - 1)])
            b = np.uint64(units[min(first + 5, size - 1)])
            for z in range(np.uint64(count)):
                v = words[z]
                row[z] |= np.uint8(
                    (((v >> a) & one) << np.uint64(4)) | (((v >> b) & one) << np.uint64(5))
                )


@kernel()
def subset_sums(weights: np.ndarray, units: np.ndarray, size: int, table: np.ndarray) -> None:
    """Fill ``table[g]`` with the sums of the weights of all subsets of a group, rounded up.

    ``weights`` (unit,) are in steps of one byte; ``units[:size]`` are the units of all groups.
    """
    sums, per = np.zeros(SUBSETS, dtype=np.int32), units_per_group()
    for g in range((size + per - 1) // per):
        filled = np.uint64(1)
        for j in range(per):
            weight = 0
            if per * g + j < size:
                weight = math.ceil(max(weights[units[per * g + j]], -1000.0) * _FIXED)
            for i in range(filled):
                sums[filled + i] = sums[i] + np.int32(weight)
            filled += filled
        row = table[g]
        for i in range(filled):
            row[i] = np.int8(max((sums[i] + np.int32(_FIXED - 1)) >> 8, SMALLEST))


@kernel()
def byte_step(need: float, levels: int, weights: np.ndarray) -> float:
    """Return the step in which ``need`` takes ``levels`` and no group exceeds a byte.

    ``weights`` descend.
    """
    largest = 0.0
    for u in range(min(units_per_group(), weights.size)):
        largest += max(weights[u], 0.0)
    return max(need / levels, largest / (LARGEST - 1), 1e-300)


@kernel()
def byte_need(need: float, step: float) -> int:
    """Return the whole number of steps that a sum surely reaches if it reaches ``need``.

    ``need`` is not negative. Neither is the number: -1 and `SMALLEST` are less than a byte.
    """
    steps: float = np.floor(need * (1.0 - _ROUNDING) / step - 1e-6)
    return max(int(steps), 0)
