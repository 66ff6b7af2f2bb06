"""Fused kernels: plans a body of cells as loops, and names it canonically.

Between `graph.passes` (which decides what shares a kernel) and `_fused_loops` (which writes the
instructions). `plan_fused` merges loops that always run on together, picks the loop that runs over
the lanes, gives every extent, stride and number an argument slot, and cuts the work into items.
Machine code depends on the expression and on which strides are 0 and 1, on no size.

Three shapes of kernel follow from where the lanes are (``Plan.shape``):

* "pointwise": no reduction; items are blocks of the lane loop for each of the other indices;
* "rows": the lanes run over a reduced loop; an item is one row, which may be walked several times
  (softmax: maximum, sum, result), the row staying in the cache;
* "columns": the lanes run over a parallel loop; an item is a block of columns, each lane
  accumulating its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import struct

from ..runtime import _cpu
from .cells import Body, Cell, affine_range
from .extents import usual
from .fused_operations import EXPENSIVE, memory_type
from .kernel_call import Epilogue, Integer, KernelCall, Pointer

__all__ = ["EpiloguePlan", "Plan", "plan_fused"]

VERSION = 8
_LINE = 64                 # bytes of a cache line
COLUMN_UNROLL = 4
POINTWISE_BLOCK = 4096     # elements of an item where one loop holds everything
SCRATCH_BYTES = 1 << 16    # of the values of a row that are kept from walk to walk
CHUNK_WORK = 60_000        # operations of a chunk: about 5 microseconds of vector code


@dataclasses.dataclass
class Access:
    """A load or store: its pointer slot, its stride class and its lane stride."""

    pointer: int
    strides: dict        # loop -> slot of its stride, lane loop left out
    lane: object         # 0, 1, or the slot of the lane loop's stride
    values: tuple        # ((cell, slot of its stride or 1), ...)
    past_caches: bool = False      # a store of whole, aligned vectors that skips the caches


@dataclasses.dataclass
class IndexPlan:
    """An affine value: constant slot and (loop, slot of the coefficient or 1)."""

    constant: int
    terms: tuple
    values: tuple
    bits: int


class Plan:
    """Everything that the loops need, by slot numbers only, and the values of the slots."""

    def __init__(self, body: Body, pointer_of, scalars: Pointer, flags: Pointer):
        self.body = body
        self.pointer_of, self.scalars_at, self.flags_at = pointer_of, scalars, flags
        self.atoms = {k: a for k, a in body.atoms.items() if a.cell is None}
        self.cells = _ordered_cells(body)
        self._coalesce()
        self._choose_lanes()
        self._assign_slots()

    # ---- loops ----------------------------------------------------------------------------------

    def _all_indices(self):
        for store in self.body.stores:
            yield store.index
        for cell in self.cells:
            yield from cell_indices(cell)

    def _coalesce(self):
        """Merges loops a, b where an index always moves b's extent times as far along a as b."""
        rows = [dict(index[1]) for index in self._all_indices()]
        extents = {k: a.extent for k, a in self.atoms.items()}
        merged = True
        self.into = {}
        while merged:
            merged = False
            live = list(extents)
            for outer in live:
                for inner in live:
                    if (outer == inner or outer not in extents or inner not in extents
                            or self._group(outer) != self._group(inner)):
                        continue
                    n = extents[inner]
                    if all(r.get(outer, 0) == r.get(inner, 0) * n for r in rows):
                        extents[inner] = n * extents.pop(outer)
                        for r in rows:
                            r.pop(outer, None)
                        merged = True
        self.extents = extents
        self.parallel = [k for k in extents if not self.atoms[k].reduced]
        self.reduced = [k for k in extents if self.atoms[k].reduced]

    def _group(self, k):
        """Loops of one group may be merged."""
        return self.atoms[k].reduced

    def _choose_lanes(self):
        """The loop whose elements are neighbours in most accesses."""
        scores = {}
        accesses = [(s.index, memory_type(s.cell.dtype).size, 2) for s in self.body.stores]
        accesses += [(c.attrs[1], memory_type(c.dtype).size, 1) for c in self.cells
                     if c.op == "load"]
        lanes = _cpu.vector_width()
        largest = max((len(index[1]) for index, _, _ in accesses), default=0)
        most = max((self._touched(index) for index, _, _ in accesses), default=1)
        for k, extent in self.extents.items():
            score = 0.0
            for index, _, weight in accesses:
                coefficients = dict(index[1])
                c = coefficients.get(k)
                # the few results of a long reduction do not decide how it is walked over
                important = weight if len(index[1]) == largest else (
                    min(0.3, 2 * self._touched(index) / most) * weight)
                if c == 1:
                    score += important
                elif c is not None:
                    score -= 2 * important
            known = usual(extent)
            used = known / (-(-known // lanes) * lanes)
            scores[k] = (score * used if score > 0 else score) + 0.5 * used + (
                0.01 * list(self.extents).index(k))
        self.lane_loop = max(scores, key=scores.get) if scores else None
        self.lane_extent = self.extents.get(self.lane_loop, 1)
        self.outer = [k for k in self.parallel if k != self.lane_loop]
        nest = [k for k in self.reduced if k != self.lane_loop]
        # short loops inside, where several of them are unordered
        self.reduce_nest = nest
        if not self.reduced:
            self.shape = "pointwise"
        elif self.lane_loop in self.reduced:
            self.shape = "rows"
        else:
            self.shape = "columns"
        self.level = {k: 0 for k in self.outer}
        order = {"pointwise": [self.lane_loop], "rows": nest + [self.lane_loop],
                 "columns": [self.lane_loop] + nest}[self.shape]
        for i, k in enumerate(order):
            self.level[k] = i + 1
        self.lane_level = self.level.get(self.lane_loop, 1)

    def depth(self, cell: Cell) -> int:
        """-1 for what is constant in the kernel, 0 for what a row has, then by loops."""
        depth = -1 if cell.phase == 0 else 0
        for k in cell.depends:
            level = self.level.get(k, -1)
            if level > depth:
                depth = level
        return depth

    def in_lanes(self, cell: Cell) -> bool:
        return self.lane_loop in cell.depends

    def in_nest(self, cell: Cell) -> bool:
        return any(k in cell.depends for k in self.reduced)

    # ---- slots ----------------------------------------------------------------------------------

    def _assign_slots(self):
        self.pointers: list[Pointer] = []
        self.integers: list[int] = []
        self.key: list = [self.shape]
        numbers = {}
        body = self.body
        self._pointer_slots = {}
        self._classes = {}
        count = self._count_pointers()
        self.pointer_count = count
        self.scalars = self._pointer("scalars", self.scalars_at) if self.uses_scalars else None
        self.flags = self._pointer("flags", self.flags_at) if self.uses_flags else None
        # in the order of the loops, which is part of the key
        ordered = self.outer + self.reduce_nest + [self.lane_loop]
        self.extent_slot = {k: self._integer(self.extents[k]) for k in ordered if k is not None}
        self.key.append((len(self.outer), len(self.reduce_nest), self.scalars is not None,
                         self.flags is not None))
        names = {k: i for i, k in enumerate(self.outer + self.reduce_nest + [self.lane_loop])}
        self._names = names
        self.access = {}
        self.index_plan = {}
        self.constant_slot = {}
        self.extra_slot = {}
        for cell in self.cells:
            numbers[cell] = len(numbers)
            entry = [cell.op, cell.dtype.name] + [numbers[o] for o in cell.operands]
            if cell.op == "load":
                buffer, index, guard = cell.attrs
                access = self._access(buffer, index, cell.dtype)
                self.access[cell] = access
                entry.append(self._access_key(access, numbers))
                entry.append(guard is not None)
            elif cell.op == "constant":
                entry.append(self._constant(cell))
            elif cell.op == "scalar":
                entry.append(cell.attrs)
                self.extra_slot[cell] = self._integer(cell.attrs)
                entry.pop()
            elif cell.op == "affine":
                self.index_plan[cell] = [self._index(cell.attrs)]
                entry.append(self._index_key(self.index_plan[cell], numbers))
            elif cell.op == "guard":
                self.index_plan[cell] = [self._index(a) for a, _ in cell.attrs]
                self.extra_slot[cell] = [self._integer(n) for _, n in cell.attrs]
                entry.append(self._index_key(self.index_plan[cell], numbers))
            elif cell.op == "checked":
                extent, flag = cell.attrs
                self.extra_slot[cell] = (self._integer(extent), self._integer(flag))
            elif cell.op == "reduce":
                entry.append(cell.attrs[0])
                if cell.attrs[1] is not None:
                    self.index_plan[cell] = [self._index(cell.attrs[1])]
                    entry.append(self._index_key(self.index_plan[cell], numbers))
            elif cell.op == "cast":
                entry.append(cell.operands[0].dtype.name)
            entry.append(sorted(names[k] for k in cell.depends if k in names))
            self.key.append(entry)
        self.block = (COLUMN_UNROLL * _cpu.vector_width() if self.shape == "columns"
                      else POINTWISE_BLOCK)
        if self.shape == "pointwise" and self.outer and self.lane_extent < 4 * POINTWISE_BLOCK:
            self.block = max(1, self.lane_extent)
        self.stores = []
        for store in body.stores:
            access = self._access(store.buffer, store.index, store.cell.dtype)
            access.past_caches = store.is_stream and self._is_aligned(store)
            self.stores.append((access, store.cell))
            self.key.append(["store", numbers[store.cell], self._access_key(access, numbers),
                             access.past_caches])
        self.blocks = -(-self.lane_extent // self.block)
        self.block_slots = (self._integer(self.block), self._integer(self.blocks))
        assert len(self.pointers) == count, (len(self.pointers), count)
        if len(self.reduced) == 0:
            self.unroll = 1
        else:
            # a row's sum of exponentials waits for latencies: softmax over 64 MB takes 11.7 ms
            # with four vectors side by side, 12.7 with two
            expensive = any(c.op in EXPENSIVE for c in self.cells) and self.shape != "rows"
            self.unroll = 2 if expensive or len(self.cells) > 24 else 4
        self._keep_in_scratch(numbers)
        self.name = "fused_" + hashlib.blake2b(
            repr((VERSION, _cpu.vector_width(), self.unroll, self.key)).encode(),
            digest_size=12).hexdigest()

    def _keep_in_scratch(self, numbers):
        """Chooses the dear values that several walks over a row need: the first one keeps them.

        `scratch_rows` maps them to (their row of scratch, the phase that computes them).
        """
        self.scratch_rows: dict[Cell, tuple[int, int]] = {}
        if self.shape != "rows" or self.reduce_nest:
            return
        roots: dict[int, list[Cell]] = {}
        for cell in self.cells:
            if cell.op == "reduce":
                roots.setdefault(cell.phase - 1, []).extend(cell.operands)
        for store in self.body.stores:
            if any(k in self.reduced for k, _ in store.index[1]):
                roots.setdefault(store.cell.phase, []).append(store.cell)
        limit = SCRATCH_BYTES // (4 * usual(self.lane_extent))
        for cell in reversed(self.cells):
            if (cell.op in EXPENSIVE and self.in_lanes(cell) and cell.dtype.itemsize <= 4
                    and len(self.scratch_rows) < limit):
                users = [p for p in sorted(roots) if cell in self.needed(roots[p], p)]
                if len(users) > 1:
                    self.scratch_rows[cell] = len(self.scratch_rows), users[0]
        if self.scratch_rows:
            self.key.append(["scratch", [(numbers[c], *v) for c, v in self.scratch_rows.items()]])

    def needed(self, roots, phase):
        """The cells inside the reduction loops that a walk computes for `roots`, or reads back."""
        found, stack = set(), list(roots)
        while stack:
            cell = stack.pop()
            if cell in found or not self.in_nest(cell) or cell.op == "reduce":
                continue
            found.add(cell)
            if self.scratch_rows.get(cell, (0, phase))[1] == phase:
                stack.extend(cell.operands)
        return found

    def _count_pointers(self):
        found = set()
        for cell in self.cells:
            if cell.op == "load":
                found.add((cell.attrs[0], cell.attrs[1][0]))
        for store in self.body.stores:
            found.add((store.buffer, store.index[0]))
        self.uses_scalars = any(c.op == "scalar" for c in self.cells)
        self.uses_flags = any(c.op == "checked" for c in self.cells)
        return len(found) + self.uses_scalars + self.uses_flags

    def _pointer(self, key, pointer):
        slot = self._pointer_slots.get(key)
        if slot is None:
            slot = self._pointer_slots[key] = len(self.pointers)
            self.pointers.append(pointer)
        return slot

    def _integer(self, value):
        self.integers.append(value)
        return self.pointer_count + len(self.integers) - 1

    def _access(self, buffer, index, dtype):
        size = memory_type(dtype).size
        key = (buffer, index[0])
        pointer = self._pointer_slots.get(key)
        if pointer is None:
            pointer = self._pointer(key, self.pointer_of(buffer).shifted(index[0] * size))
        loops = tuple((k, c) for k, c in index[1] if k in self.extents)
        strides = self._classes.get(loops)
        if strides is None:
            strides, lane = {}, 0
            for k, c in loops:
                if k == self.lane_loop:
                    lane = 1 if c == 1 else self._integer(c)
                else:
                    strides[k] = self._integer(c)
            strides = self._classes[loops] = (strides, lane, len(self._classes))
        values = tuple((self.body.atoms[k].cell, 1 if c == 1 else self._integer(c))
                       for k, c in index[1] if k not in self.extents
                       and self.body.atoms[k].cell is not None)
        return Access(pointer, strides[0], strides[1], values)

    def _is_aligned(self, store):
        """Whether all vectors that a store writes begin where non-temporal ones may."""
        size = memory_type(store.cell.dtype).size
        steps = {k: c for k, c in store.index[1] if k in self.extents}
        places = [store.index[0], *(c for k, c in steps.items() if k != self.lane_loop)]
        return (_cpu.is_x86() and steps.get(self.lane_loop) == 1
                and all(self.body.atoms[k].cell is None for k, _ in store.index[1])
                and self.pointer_of(store.buffer).offset % _LINE == 0
                and (self.block * size % _LINE == 0 or self.block >= self.lane_extent)
                and all(place * size % _LINE == 0 for place in places))

    def _access_key(self, access, numbers):
        names = self._names
        return (access.pointer, sorted((names[k], s) for k, s in access.strides.items()),
                access.lane, [(numbers[c], s) for c, s in access.values])

    def _index(self, index):
        terms = tuple((k, 1 if c == 1 else self._integer(c)) for k, c in index[1]
                      if k in self.extents)
        values = tuple((self.body.atoms[k].cell, 1 if c == 1 else self._integer(c))
                       for k, c in index[1] if k not in self.extents
                       and self.body.atoms[k].cell is not None)
        every = {k: a.extent for k, a in self.body.atoms.items()}
        every.update(self.extents)
        low, high = affine_range(index, every)
        low, high = min(low, usual(low)), max(high, usual(high))
        bits = 32 if -(1 << 30) < low and high < (1 << 30) else 64
        return IndexPlan(self._integer(index[0]), terms, values, bits)

    def _index_key(self, plans, numbers):
        names = self._names
        return [(p.constant, sorted((names[k], s) for k, s in p.terms),
                 [(numbers[c], s) for c, s in p.values], p.bits) for p in plans]

    def _constant(self, cell):
        """Small numbers are part of the code, so that it folds; others come by slot."""
        value, dtype = cell.attrs, cell.dtype
        if value in (0, 1, 2, -1, 0.5) and not (value == 0 and str(value)[0] == "-"):
            return float(value)
        if dtype.category == 2:
            bits = struct.unpack("<q", struct.pack("<d", float(value)))[0]
        else:
            bits = int(value)
            bits = (bits + (1 << 63)) % (1 << 64) - (1 << 63)
        self.constant_slot[cell] = self._integer(bits)
        return ("slot", self.constant_slot[cell])

    # ---- the call -------------------------------------------------------------------------------

    def call(self) -> KernelCall:
        rows = 1
        for k in self.outer:
            rows *= self.extents[k]
        items = rows * self.blocks if self.shape != "rows" else rows
        total = 1
        for extent in self.extents.values():
            total *= extent
        work = len(self.cells) + 9 * sum(c.op in EXPENSIVE for c in self.cells)
        per_item = max(1, total * (work + 2) // max(1, items))
        if self.shape != "rows" and self.lane_extent < 16:
            per_item *= 16 / self.lane_extent
        grain = max(1, min(items, int(CHUNK_WORK * _cpu.vector_width() / 4 // per_item)))
        args = list(self.pointers) + [Integer(n) for n in self.integers]
        moved = 0
        for cell in self.cells:
            if cell.op == "load":
                moved += self._touched(cell.attrs[1]) * cell.dtype.itemsize
        for store in self.body.stores:
            moved += self._touched(store.index) * store.cell.dtype.itemsize
        scratch = 4 * self.lane_extent * len(self.scratch_rows)
        return KernelCall(self.name, self, args, items, grain, scratch,
                          total * self.body.operations, moved, self.body.label)

    def _touched(self, index):
        total = 1
        for k, _ in index[1]:
            if k in self.extents:
                total *= self.extents[k]
        return total

    def __str__(self):
        return ir_text(self)


class EpiloguePlan(Plan):
    """A pointwise body that a product's kernel runs on each vector of its results.

    `place` is the affine place of the product's element in memory, whose `columns` neighbours form
    a row; `main` is the store that the product's kernel makes itself.
    """

    def __init__(self, body, pointer_of, scalars, flags, place, columns, main):
        self.place, self.columns = place, columns
        self.main_store = next(i for i, s in enumerate(body.stores) if s.buffer is main)
        self.main = body.stores[self.main_store].cell
        super().__init__(body, pointer_of, scalars, flags)
        self.name = "e" + self.name[6:]

    def _all_indices(self):
        yield self.place
        yield from super()._all_indices()

    def _group(self, k):
        return next(c for a, c in self.place[1] if a == k) >= self.columns

    def _choose_lanes(self):
        order = sorted(((c, k) for k, c in self.place[1] if k in self.extents), reverse=True)
        lanes = [k for c, k in order if c < self.columns]
        if len(lanes) != 1 or dict(self.place[1])[lanes[0]] != 1:
            raise ValueError("the columns of an epilogue are not one loop")
        self.lane_loop, = lanes
        self.lane_extent = self.extents[self.lane_loop]
        self.outer = [k for c, k in order if c >= self.columns]
        self.reduce_nest, self.reduced = [], []
        self.shape = "pointwise"
        self.level = {k: 0 for k in self.outer} | {self.lane_loop: 1}
        self.lane_level = 1

    def epilogue(self) -> Epilogue:
        from ._fused_loops import prefetch_epilogue, write_epilogue

        def emit(f, value, row, column, mask, slot):
            return write_epilogue(self, f, value, row, column, mask, slot)

        def prefetch(f, row, column, slot):
            prefetch_epilogue(self, f, row, column, slot)
        return Epilogue(f"{self.name}_{self.main_store}", emit,
                        tuple(self.pointers) + tuple(Integer(n) for n in self.integers), prefetch)


_texts: dict[str, str] = {}


def ir_text(plan: Plan) -> str:
    """The code of a plan, written once per name and process."""
    text = _texts.get(plan.name)
    if text is None or os.environ.get("FLAMBEAU_CHECK"):
        from ._fused_loops import write_kernel
        written = write_kernel(plan)
        assert text is None or text == written, f"two kernels are called {plan.name}"
        text = _texts[plan.name] = written
    return text


def plan_fused(body: Body, pointer_of, scalars: Pointer, flags: Pointer) -> KernelCall:
    """The kernel call of a body; `pointer_of(buffer)` is where a buffer begins."""
    plan = Plan(body, pointer_of, scalars, flags)
    call = plan.call()
    call.ir_text = ir_text(plan)
    return call


def _ordered_cells(body: Body) -> list[Cell]:
    order, done = [], set()
    stack = [(s.cell, False) for s in reversed(body.stores)]
    while stack:
        cell, entered = stack.pop()
        if entered:
            order.append(cell)
        elif cell not in done:
            done.add(cell)
            stack.append((cell, True))
            stack.extend((o, False) for o in reversed(cell.operands) if o not in done)
    return order


def cell_indices(cell: Cell):
    """The affine indices that a cell holds."""
    if cell.op == "load":
        yield cell.attrs[1]
    elif cell.op == "affine":
        yield cell.attrs
    elif cell.op == "guard":
        for index, _ in cell.attrs:
            yield index
    elif cell.op == "reduce" and cell.attrs[1] is not None:
        yield cell.attrs[1]
