"""The batch-reduce GEMM tile: the one inner kernel of matrix products and convolutions.

Below the planners `contract` and `convolve`. A tile is `rows` x `vectors` accumulators that stay in
registers while

    C[r, :] (+)= sum over taps t, sum over k of A[row(r) + tap(t), k] * B[t * K + k, :]

runs; the taps are the addresses of batch-reduce GEMM (https://arxiv.org/abs/1906.06440): the rows
and columns of a convolution's window, or a single one for a matrix product. Everything is a
runtime value except the number of accumulators, so that one machine code serves many shapes:

- A in "rows" mode: each row of the tile has a pointer of its own, taken from a table of offsets (so
  that a tile may take any pixels), and k is contiguous in memory;
- A in "pairs" mode: the same, and the table of taps holds pairs: the place of each tap in A, and
  its first k in B, so that B may hold taps that are left out;
- A in "columns" mode: the rows are contiguous in memory and k has a stride: packed or transposed
  matrices;
- A in "table" mode: the rows are contiguous and the table of taps holds the place of each k: weight
  gradients, where k counts the pixels of many short lines;
- A in "lanes" mode is a row of vectors itself, and k is 1: C[r, :] (+)= A[row(r) + tap(t), :] *
  B[t, :], which is a depthwise convolution, or with taps and pixels exchanged its weight gradient;
- B has contiguous columns and any stride from one k to the next.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from flambeau.codegen.emitter import F32, F64, I64, PTR, VOID, vector
from flambeau.runtime import _cpu

__all__ = ["ACCUMULATE", "FINAL", "TileShape", "by_panel", "call_tile", "define_tile",
           "element_type", "pick_panels", "rows_for", "vector_lanes"]

ACCUMULATE = 1  # flag: start from what C holds instead of zero
FINAL = 2       # flag: these are results, to which the epilogue applies

WIDE = 2        # vectors of an epilogue

_ELEMENTS = {"float32": F32, "float64": F64}


def element_type(dtype: str):
    """The LLVM type of a dtype's elements."""
    return _ELEMENTS[dtype]


def vector_lanes(dtype: str) -> int:
    """Elements of a dtype in one vector register."""
    return _cpu.vector_width() * 4 // _ELEMENTS[dtype].size


def _registers() -> int:
    return 32 if _cpu.vector_width() == 16 or _cpu.is_arm64() else 16


def most_vectors() -> int:
    """Vectors of columns in the widest tile."""
    return 4 if _registers() == 32 else 2


def rows_for(columns: int, dtype: str, mode: str) -> int:
    """Rows of the tile with panels of `columns` columns.

    6 x 4 vectors and 8 x 3 fill 24 of 32 registers, 6 x 2 fills 12 of 16. Narrow tiles stay at 8
    rows in rows mode, since each row takes an address register as well.
    """
    vectors = -(-columns // vector_lanes(dtype))
    narrow = 12 if mode in ("columns", "table") else 8
    if _registers() == 32:
        return {1: narrow, 2: narrow, 3: 8, 4: 6}[vectors]
    return {1: narrow, 2: 6}[vectors]


def pick_panels(columns: int, dtype: str) -> tuple[int, int]:
    """(columns of full panels, of the last, partial one), 0 where there is none.

    The last one is padded to whole vectors; of 512 bits, its last vector may be half a one, which
    costs half the time on CPUs that run 512 bits in two steps (20 channels: 1.5 instead of 2).
    """
    lanes = vector_lanes(dtype)
    most = most_vectors() * lanes
    if columns <= most and columns % lanes == 0:
        return columns, 0
    rest = columns % most
    padded = -(-rest // lanes) * lanes
    if _cpu.vector_width() == 16 and padded - rest >= lanes // 2:
        padded -= lanes // 2
    return (most if columns > most else 0), padded


@dataclasses.dataclass(frozen=True)
class TileShape:
    """What decides the machine code of a tile; `partial` masks the last vector of columns."""

    dtype: str
    rows: int
    columns: int
    mode: str
    partial: bool

    @property
    def element(self):
        """The LLVM type of one element."""
        return _ELEMENTS[self.dtype]

    @property
    def vectors(self):
        """(first column, type) of each vector of columns."""
        lanes = vector_lanes(self.dtype)
        return [(first, vector(self.element, min(lanes, self.columns - first)))
                for first in range(0, self.columns, lanes)]

    @property
    def name(self) -> str:
        """The name of the tile's function."""
        return f"tile_{self.mode}_{self.rows}x{self.columns}{'p' if self.partial else ''}"


_PARAMETERS: Sequence = (
    ("args", PTR), ("a", PTR), ("a_rows", PTR), ("a_stride", I64), ("out_rows", PTR),
    ("tap_offsets", PTR), ("taps", I64), ("k", I64), ("b", PTR), ("b_stride", I64), ("c", PTR),
    ("c_stride", I64), ("row_base", I64), ("column", I64), ("rows", I64), ("width", I64),
    ("flags", I64), ("ahead", I64))


def call_tile(f, shape: TileShape, **values):
    """Calls a tile in `f`; each parameter is a Value or an int (pointers that are unused: None).

    args: the argument table, for the epilogue; a: the pointer to which row and tap offsets are
    added; a_rows: table of row offsets (rows, pairs and lanes mode); a_stride: from one k to the
    next (columns mode), or from one row to the next if all are as far apart (rows mode, else 0);
    ahead: how far behind what is read now lies what to prefetch (columns and rows mode; 0 if
    nobody knows, as by default); out_rows: table of the rows' numbers in C, and in the epilogue
    after row_base is added; tap_offsets, taps, k: what is summed over (k: rows, pairs and columns
    mode); b, b_stride; c: where row 0 and this tile's first column lie, c_stride; column: the first
    column for the epilogue; rows, width: how many of the tile's rows and columns exist; flags.
    Offsets and strides are in elements.
    """
    arguments = []
    for name, type in _PARAMETERS:
        value = values.pop(name, 0) if name == "ahead" else values.pop(name)
        if type is PTR:
            arguments.append(f.constant(PTR, 0) if value is None else value)
        else:
            arguments.append(f.i64(value))
    if values:
        raise TypeError(f"call_tile has no parameters {sorted(values)}")
    f.call(shape.name, VOID, arguments)


def by_panel(f, shapes, width, panel, emit):
    """Emits `emit(shape)`, with a branch where the last panel, however wide, has its own tile."""
    if len(shapes) == 1:
        return emit(shapes[0])
    with f.if_(f.eq(width, panel)) as branch:
        emit(shapes[0])
    with branch.otherwise():
        emit(shapes[1])


def define_tile(module, shape: TileShape, epilogue=None, epilogue_slot: int = 0):
    """Defines the function of a tile in a module, once."""
    if shape.name not in module.functions:
        _Tile(module, shape, epilogue, epilogue_slot).emit()


class _Tile:
    def __init__(self, module, shape, epilogue, epilogue_slot):
        self.shape, self.epilogue, self.epilogue_slot = shape, epilogue, epilogue_slot
        self.f = module.function(shape.name, VOID, [type for _, type in _PARAMETERS],
                                 attributes="nounwind noinline", linkage="internal")
        for (name, _), value in zip(_PARAMETERS, self.f.parameters):
            setattr(self, name, value)
        self.vectors = shape.vectors

    def emit(self):
        f, shape = self.f, self.shape
        self.mask = None
        if shape.partial:
            first, type = self.vectors[-1]
            self.mask = f.tail_mask(self.width - first, type.lanes)
        self._fetch_results()
        if self.epilogue:
            self._fetch_for_epilogue()
        accumulators = self._reduce(self._initial())
        if shape.partial:
            return self._store_rows(accumulators)
        whole = f.eq(self.rows, shape.rows)
        if self.epilogue:
            whole = whole & f.eq(self.flags & FINAL, 0)
        with f.if_(whole) as branch:
            self._store_directly(accumulators)
        with branch.otherwise():
            self._store_rows(accumulators)

    # ---- the reduction -------------------------------------------------------------------------

    def _row_of(self, r):
        """The number in C of row r; rows beyond the last repeat it, so that reads stay inside."""
        f = self.f
        return f.load(I64, self.out_rows, f.min_int(self.rows - 1, r))

    def _initial(self):
        f, shape = self.f, self.shape
        with f.if_(f.ne(self.flags & ACCUMULATE, 0)) as branch:
            loaded = []
            for r in range(shape.rows):
                start = f.at(self.c, self._row_of(r) * self.c_stride, shape.element)
                loaded += [self._load_c(start, j) for j in range(len(self.vectors))]
            branch.give(*loaded)
        with branch.otherwise():
            branch.give(*[f.constant(value.type, 0) for value in loaded])
        return branch.results

    def _fetch_results(self):
        """Asks for the lines of C that will be written, while there are products to compute."""
        f, shape = self.f, self.shape
        for r in range(shape.rows):
            start = f.at(self.c, self._row_of(r) * self.c_stride, shape.element)
            for first in range(0, shape.columns, max(1, 64 // shape.element.size)):
                f.prefetch(start, first, shape.element, write=True)

    def _fetch_for_epilogue(self):
        """Asks for the lines that the epilogue will read and write beside C, row by row.

        A convolution of 64 to 256 channels at 56x56 whose epilogue reads two such arrays takes
        6.5 ms instead of 7.1.
        """
        f, shape = self.f, self.shape
        with f.if_(f.ne(self.flags & FINAL, 0)), f.loop(0, self.rows) as loop:
            row = self.row_base + f.load(I64, self.out_rows, loop.index)
            for first in range(0, shape.columns, max(1, 64 // shape.element.size)):
                self.epilogue.prefetch(f, row, self.column + first, self.epilogue_slot)

    def _load_c(self, start, j):
        """Vector j of a row's columns."""
        first, type = self.vectors[j]
        if self._mask_of(j) is not None:
            return self.f.load_masked(type, start, self.mask, first)
        return self.f.load(type, start, first)

    def _reduce(self, accumulators):
        f, shape = self.f, self.shape
        element = shape.element
        if shape.mode == "table":
            return self._reduce_by_table(accumulators)
        if shape.mode == "lanes":
            return self._reduce_lanes(accumulators)
        by_rows, step = shape.mode in ("rows", "pairs"), 2 if shape.mode == "pairs" else 1
        if by_rows:
            offsets = [f.load(I64, self.a_rows, r) for r in range(shape.rows)]
            bases = [f.at(self.a, offset, element) for offset in offsets]
        else:
            bases = [self.a]
        with f.loop(0, self.taps, carried=accumulators + [self.b]) as taps:
            tap = f.load(I64, self.tap_offsets, taps.index * step)
            starts = [f.at(base, tap, element) for base in bases]
            carried = taps.carried + ([] if by_rows else starts)
            if shape.mode == "pairs":
                first = f.load(I64, self.tap_offsets, taps.index * step + 1)
                carried[-1] = f.at(self.b, first * self.b_stride, element)
            with f.loop(0, self.k, carried=carried) as inner:
                sums = list(inner.carried[:len(accumulators)])
                b = inner.carried[len(accumulators)]
                if by_rows:
                    scalars = [f.load(element, start, inner.index) for start in starts]
                    if shape.mode == "rows":      # eight rows in turn, so each line twice
                        row = (inner.index & 7) * self.a_stride
                        f.prefetch(starts[0], row + inner.index + self.ahead, element)
                    advanced = []
                else:
                    a = inner.carried[-1]
                    if shape.mode == "columns":
                        f.prefetch(a, self.ahead + shape.rows - 1, element)
                    scalars = [f.load(element, a, r) for r in range(shape.rows)]
                    advanced = [f.at(a, self.a_stride, element)]
                inner.next(*self._multiply(scalars, b, sums), f.at(b, self.b_stride, element),
                           *advanced)
            taps.next(*inner.results[:len(taps.carried)])
        return taps.results[:-1]

    def _reduce_by_table(self, accumulators):
        f, element = self.f, self.shape.element
        with f.loop(0, self.taps, carried=accumulators + [self.b]) as loop:
            a = f.at(self.a, f.load(I64, self.tap_offsets, loop.index), element)
            scalars = [f.load(element, a, r) for r in range(self.shape.rows)]
            *sums, b = loop.carried
            loop.next(*self._multiply(scalars, b, sums), f.at(b, self.b_stride, element))
        return loop.results[:-1]

    def _reduce_lanes(self, accumulators):
        f, element = self.f, self.shape.element
        bases = [f.at(self.a, f.load(I64, self.a_rows, r), element)
                 for r in range(self.shape.rows)]
        with f.loop(0, self.taps, carried=accumulators + [self.b]) as loop:
            *sums, b = loop.carried
            tap = f.load(I64, self.tap_offsets, loop.index)
            columns = [f.load(type, b, first) for first, type in self.vectors]
            products, sums = [], iter(sums)
            for base in bases:
                start = f.at(base, tap, element)
                for j, column in enumerate(columns):
                    products.append(f.fma(self._load_c(start, j), column, next(sums)))
            loop.next(*products, f.at(b, self.b_stride, element))
        return loop.results[:-1]

    def _multiply(self, scalars, b, sums):
        """One k: every accumulator takes a product of a broadcast of A and a vector of B."""
        f = self.f
        columns = [f.load(type, b, first) for first, type in self.vectors]
        sums = iter(sums)
        return [f.fma(f.splat(scalar, column.type.lanes), column, next(sums))
                for scalar in scalars for column in columns]

    # ---- results -------------------------------------------------------------------------------

    def _store_directly(self, accumulators):
        f, shape = self.f, self.shape
        values = iter(accumulators)
        for r in range(shape.rows):
            row = f.load(I64, self.out_rows, r)
            start = f.at(self.c, row * self.c_stride, shape.element)
            for first, _ in self.vectors:
                f.store(next(values), start, first)

    def _store_rows(self, accumulators):
        """Row by row from the stack: the epilogue's code appears once, whatever the rows.

        It computes `WIDE` vectors at a time, whose chains of operations hide each other's latency.
        """
        f, shape = self.f, self.shape
        panel = shape.columns
        spilled = f.alloca(shape.element, shape.rows * panel)
        values = iter(accumulators)
        for r in range(shape.rows):
            for first, _ in self.vectors:
                f.store(next(values), spilled, r * panel + first)
        with f.loop(0, self.rows) as loop:
            number = f.load(I64, self.out_rows, loop.index)
            start = f.at(self.c, number * self.c_stride, shape.element)
            row = self.row_base + number
            source = f.at(spilled, loop.index * panel, shape.element)
            done = 0
            if self.epilogue:
                lanes = WIDE * self.vectors[0][1].lanes
                done = (len(self.vectors) - shape.partial) // WIDE * lanes
            if done:
                wide = vector(shape.element, lanes)
                with f.loop(0, done, lanes, at_least_once=True) as columns:
                    self._store_vector(source, start, row, columns.index, wide, None)
            for j, (first, type) in enumerate(self.vectors):
                if first >= done:
                    self._store_vector(source, start, row, first, type, self._mask_of(j))

    def _store_vector(self, source, start, row, first, type, mask):
        """Stores columns from `first` on."""
        f = self.f
        value = f.load(type, source, first)
        if self.epilogue:
            with f.if_(f.ne(self.flags & FINAL, 0)) as branch:
                branch.give(self.epilogue.emit(f, value, row, self.column + first, mask,
                                               self.epilogue_slot))
            with branch.otherwise():
                branch.give(value)
            value, = branch.results
        if mask is not None:
            f.store_masked(value, start, mask, first)
        else:
            f.store(value, start, first)

    def _mask_of(self, j):
        return self.mask if j == len(self.vectors) - 1 else None
