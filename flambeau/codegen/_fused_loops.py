"""Writes the loops of a fused kernel from its plan: see `fused` for the three shapes.

Values live in a stack of scopes, one for each loop that is open, so that nothing is used outside
the block that computed it. A *unit* is one vector of lanes: (index of its first lane, mask or None,
number of lanes); several units are written side by side where a loop is unrolled.
"""

from __future__ import annotations

from .cells import Cell
from .emitter import F64, I32, I64, Module, vector
from .fused_operations import (emit_constant_bits, emit_operation, load_element, memory_type,
                               register_type, store_element)
from .reducers import Reducer
from ..runtime import _cpu

__all__ = ["write_epilogue", "write_kernel"]

COLUMN_UNROLL = 4


class _Unit:
    """One vector of lanes in flight."""

    __slots__ = ("first", "mask", "lanes")

    def __init__(self, first, mask, lanes):
        self.first, self.mask, self.lanes = first, mask, lanes


class _Writer:
    def __init__(self, plan, f=None, slot=0):
        self.plan = plan
        if f is None:
            self.module = Module(plan.name)
            f = self.module.kernel(plan.name)
            # products and sums round one by one, as PyTorch's and the interpreter's do
            f.flags = ""
        self.f = f
        self.slot = slot      # where the plan's slots begin in the argument table
        self.lanes = _cpu.vector_width()
        self.masked_tail = self.lanes == 16     # narrower machines have no cheap masked access
        self.scopes: list[dict] = [{}]
        self.index: dict = {}
        self.units: list[_Unit] = []
        self.depths = {c: plan.depth(c) for c in plan.cells}
        self.laned = {c: plan.in_lanes(c) for c in plan.cells}
        self.nested = {c: plan.in_nest(c) for c in plan.cells}
        self.phases = 1 + max((c.phase for c in plan.cells), default=0)
        self.position = {c: i for i, c in enumerate(plan.cells)}

    def int_arg(self, slot):
        return self.f.int_arg(self.slot + slot)

    def pointer_arg(self, slot):
        # no promise that pointers are unique: an output may lie in an input's memory, and what
        # does not change in a loop is written before it anyway
        return self.f.pointer_arg(self.slot + slot)

    # ---- scopes ---------------------------------------------------------------------------------

    def find(self, key):
        for scope in reversed(self.scopes):
            value = scope.get(key)
            if value is not None:
                return value
        return None

    def get(self, cell, unit, wide):
        """The value of a cell for a unit; `wide`: splat over the lanes."""
        laned = self.laned[cell]
        value = self.find((cell, unit if laned else None))
        if value is None:
            raise KeyError(f"{cell!r} is used before it is written")
        if wide and not laned and self.units[unit].lanes:
            key = (cell, "splat", self.units[unit].lanes)
            found = self.find(key)
            if found is None:
                found = self.scopes[-1][key] = self.f.splat(value, self.units[unit].lanes)
            return found
        return value

    # ---- indices --------------------------------------------------------------------------------

    def offset(self, strides: dict):
        """The offset of the loops that are open (LLVM moves it out of those it does not use)."""
        total, done = None, ()
        for k in self.index_order:
            if k not in strides or k not in self.index:
                continue
            done = done + ((k, strides[k]),)
            found = self.find(("offset", done))
            if found is None:
                term = self.index[k] * self.int_arg(strides[k])
                found = term if total is None else total + term
                self.scopes[-1][("offset", done)] = found
            total = found
        return total

    def address(self, access, unit):
        """(pointer, index of the first element or None, lane stride as a Value or 0 or 1)."""
        f = self.f
        offset = self.offset(access.strides)
        laned_values = []
        for cell, factor in access.values:
            if self.laned[cell] and unit is not None and self.units[unit].lanes:
                laned_values.append((cell, factor))
                continue
            term = self.get(cell, unit, False)
            if factor != 1:
                term = term * self.int_arg(factor)
            offset = term if offset is None else offset + term
        pointer = self.pointer_arg(access.pointer)
        lane = access.lane
        if lane != 0:
            first = self.units[unit].first
            if lane != 1:
                lane = self.int_arg(lane)
                first = first * lane
            offset = first if offset is None else offset + first
        return pointer, f.i64(0) if offset is None else offset, lane, laned_values

    def affine_value(self, plan, unit, bits, wide):
        """An affine index as an integer of `bits` bits, scalar or one for each lane."""
        f = self.f
        total = self.int_arg(plan.constant)
        step = None
        for k, factor in plan.terms:
            if k == self.plan.lane_loop:
                step = factor
                continue
            term = self.index[k]
            total = total + (term if factor == 1 else term * self.int_arg(factor))
        laned_values = []
        for cell, factor in plan.values:
            if self.laned[cell]:
                laned_values.append((cell, factor))
                continue
            term = self.get(cell, unit, False)
            total = total + (term if factor == 1 else term * self.int_arg(factor))
        if step is not None:
            first = self.units[unit].first
            total = total + (first if step == 1 else first * self.int_arg(step))
        type = I32 if bits == 32 else I64
        lanes = self.units[unit].lanes if wide else 0
        if not lanes:
            for cell, factor in laned_values:
                term = self.get(cell, unit, False)
                total = total + (term if factor == 1 else term * self.int_arg(factor))
            return f.cast(total, type)
        value = f.splat(f.cast(total, type), lanes)
        if step is not None:
            line = f.iota(vector(type, lanes))
            if step != 1:
                line = line * f.splat(f.cast(self.int_arg(step), type), lanes)
            value = value + line
        for cell, factor in laned_values:
            term = f.cast(self.get(cell, unit, True), type)
            if factor != 1:
                term = term * f.splat(f.cast(self.int_arg(factor), type), lanes)
            value = value + term
        return value

    # ---- cells ----------------------------------------------------------------------------------

    def write_cells(self, cells):
        for cell in cells:
            if cell.op == "reduce":
                continue
            if self.laned[cell]:
                for u in range(len(self.units)):
                    self.scopes[-1][cell, u] = self.write_cell(cell, u)
            else:
                self.scopes[-1][cell, None] = self.write_cell(cell, 0)

    def write_cell(self, cell: Cell, u):
        f, plan, op = self.f, self.plan, cell.op
        laned = self.laned[cell]
        lanes = self.units[u].lanes if laned else 0
        if op == "load":
            return self.write_load(cell, u, lanes)
        if op == "constant":
            slot = plan.constant_slot.get(cell)
            if slot is not None:
                return emit_constant_bits(f, cell.dtype, self.slot + slot)
            return f.constant(register_type(cell.dtype), cell.attrs)
        if op == "scalar":
            pointer = self.pointer_arg(plan.scalars)
            at = self.int_arg(plan.extra_slot[cell])
            type = register_type(cell.dtype)
            if cell.dtype.category == 2:
                return f.cast(f.load(F64, pointer, at), type)
            return f.cast(f.load(I64, pointer, at), type)
        if op == "affine":
            index, = plan.index_plan[cell]
            value = self.affine_value(index, u, index.bits, laned)
            return f.cast(value, register_type(cell.dtype))
        if op == "guard":
            result = None
            for index, extent in zip(plan.index_plan[cell], plan.extra_slot[cell]):
                value = self.affine_value(index, u, index.bits, laned)
                limit = f.cast(self.int_arg(extent), value.type.element)
                if value.type.lanes:
                    limit = f.splat(limit, value.type.lanes)
                inside = f.compare("ult", value, limit)
                result = inside if result is None else result & inside
            return result
        if op == "checked":
            return self.write_checked(cell, u, lanes)
        if op == "given":
            return self.given
        values = [self.get(o, u, laned) for o in cell.operands]
        return emit_operation(f, cell, values)

    def write_load(self, cell, u, lanes):
        f, access = self.f, self.plan.access[cell]
        guard = cell.attrs[2]
        type = memory_type(cell.dtype)
        pointer, first, lane, laned_values = self.address(access, u)
        if not lanes:
            if guard is not None:
                inside = self.get(guard, u, False)
                first = f.select(inside, first, f.i64(0))
                raw = f.load(type, self.guarded_pointer(pointer, inside), first)
            else:
                raw = f.load(type, pointer, first)
            return load_element(f, cell.dtype, raw)
        mask = self.units[u].mask
        if guard is not None:
            inside = self.get(guard, u, True)
            mask = inside if mask is None else mask & inside
        full = vector(type, lanes)
        if lane == 1 and not laned_values:
            if mask is None:
                raw = f.load(full, pointer, first)
            else:
                raw = f.load_masked(full, pointer, mask, first)
            return load_element(f, cell.dtype, raw)
        if lane == 0 and not laned_values:      # varies by its guard alone
            raw = f.splat(f.load(type, pointer, first), lanes)
            return load_element(f, cell.dtype, raw)
        line = f.iota(vector(I64, lanes))
        if lane == 0:
            indices = f.splat(f.i64(0), lanes)
        elif lane == 1:
            indices = line
        else:
            indices = line * f.splat(lane, lanes)
        for value, factor in laned_values:
            term = self.get(value, u, True)
            if factor != 1:
                term = term * f.splat(self.int_arg(factor), lanes)
            indices = indices + term
        raw = f.gather(full, f.at(pointer, first, type), indices, mask)
        return load_element(f, cell.dtype, raw)

    def guarded_pointer(self, pointer, inside):
        """Where a guard does not hold even element 0 may not exist: read the argument table."""
        f = self.f
        return f.value(f"select i1 {inside.text}, ptr {pointer.text}, ptr {f.args.text}",
                       pointer.type, None)

    def write_checked(self, cell, u, lanes):
        """An index that is known to be in range, after raising a flag if it was not."""
        f = self.f
        extent_slot, flag_slot = self.plan.extra_slot[cell]
        value = self.get(cell.operands[0], u, self.laned[cell])
        extent = self.int_arg(extent_slot)
        limit = f.splat(extent, lanes) if lanes else extent
        outside = f.compare("uge", value, limit)
        mask = self.units[u].mask if lanes else None
        if mask is not None:
            outside = outside & mask
        found = f.any(outside)
        flags = self.pointer_arg(self.plan.flags)
        with f.if_(found):
            # the value itself, plus one bit that says a flag was raised
            bad = value
            if lanes:
                worst = f.select(outside, value, f.constant(value.type, 0))
                low = f.reduce_min(worst)
                bad = f.select(f.lt(low, 0), low, f.reduce_max(worst))
            at = self.int_arg(flag_slot)
            f.store(f.i64(1), flags, at * 2)
            f.store(bad, flags, at * 2 + 1)
        zero = f.constant(value.type, 0)
        return f.select(outside, zero, value)

    # ---- stores ---------------------------------------------------------------------------------

    def write_store(self, access, cell, u):
        f = self.f
        lanes = self.units[u].lanes if access.lane != 0 else 0
        pointer, first, lane, laned_values = self.address(access, u)
        value = store_element(f, cell.dtype, self.get(cell, u, bool(lanes)))
        mask = self.units[u].mask
        if not lanes:
            f.store(value, pointer, first)
        elif lane == 1:
            if mask is None:
                f.store(value, pointer, first)
            else:
                f.store_masked(value, pointer, mask, first)
        else:
            indices = f.iota(vector(I64, lanes)) * f.splat(lane, lanes)
            f.scatter(value, f.at(pointer, first, value.type), indices, mask)

    # ---- the kernel -----------------------------------------------------------------------------

    def write(self):
        f, plan = self.f, self.plan
        self.index_order = plan.outer + plan.reduce_nest
        self.units = [_Unit(f.i64(0), None, 0)]
        early = [c for c in plan.cells if self.depths[c] == -1]
        self.write_cells(early)
        with f.loop(f.begin, f.end) as items:
            self.scopes.append({})
            row, block = items.index, None
            if plan.shape != "rows":
                blocks = self.int_arg(plan.block_slots[1])
                row = f.binary("udiv", items.index, blocks)
                block = items.index - row * blocks
            self.split_row(row)
            self.write_cells(self.select(0, 0))
            if plan.shape == "rows":
                self.write_row()
            elif plan.lane_loop is None:
                self.write_stores(lambda access, cell: True)
            else:
                self.write_block(block)
            self.scopes.pop()
        return self.module.text()

    def split_row(self, row):
        """The indices of the outer parallel loops from the number of the row."""
        f, outer = self.f, self.plan.outer
        for k in reversed(outer[1:]):
            extent = self.int_arg(self.plan.extent_slot[k])
            rest = f.binary("udiv", row, extent)
            self.index[k] = row - rest * extent
            row = rest
        if outer:
            self.index[outer[0]] = row

    def select(self, depth, phase, nested=False):
        """The cells of one depth and phase, outside or inside the reduction loops."""
        return [c for c in self.plan.cells if self.depths[c] == depth and c.phase == phase
                and self.nested[c] == nested]

    def write_stores(self, wanted):
        for access, cell in self.plan.stores:
            if wanted(access, cell):
                for u in range(len(self.units) if access.lane != 0 else 1):
                    self.write_store(access, cell, u)

    def is_element_store(self, access):
        return (access.lane != 0 and self.plan.shape == "rows") or any(
            k in access.strides for k in self.plan.reduce_nest)

    # ---- pointwise and columns -------------------------------------------------------------------

    def write_block(self, block):
        f, plan = self.f, self.plan
        size = self.int_arg(plan.block_slots[0])
        extent = self.int_arg(plan.extent_slot[plan.lane_loop])
        begin = block * size
        end = f.min_int(begin + size, extent)
        lanes, unroll = self.lanes, COLUMN_UNROLL if plan.shape == "columns" else 1
        step = lanes * unroll
        if plan.shape == "columns":
            whole = f.select(f.eq(end - begin, step), end, begin)
        else:
            whole = begin + ((end - begin) & -step)
        with f.loop(begin, whole, step) as loop:
            self.write_units([_Unit(loop.index + u * lanes if u else loop.index, None, lanes)
                              for u in range(unroll)])
        if plan.shape == "columns" and not self.masked_tail:
            vectors = whole + ((end - whole) & -lanes)
            with f.loop(whole, vectors, lanes) as loop:
                self.write_units([_Unit(loop.index, None, lanes)])
            whole = vectors
        if self.masked_tail:
            with f.loop(whole, end, lanes) as loop:
                mask = f.tail_mask(end - loop.index, lanes)
                self.write_units([_Unit(loop.index, mask, lanes)])
        else:
            with f.loop(whole, end) as loop:
                self.write_units([_Unit(loop.index, None, 0)])

    def write_units(self, units):
        """All of the work for one or more vectors of parallel lanes."""
        plan = self.plan
        before, self.units = self.units, units
        self.scopes.append({})
        if plan.shape == "pointwise":
            self.write_cells(self.select(plan.lane_level, 0))
            self.write_stores(lambda access, cell: True)
        else:
            for phase in range(self.phases):
                self.write_cells([c for c in self.plan.cells if c.phase == phase
                                  and not self.nested[c] and c.op != "reduce"
                                  and (self.depths[c] == plan.lane_level
                                       or phase > 0 and self.depths[c] == 0)])
                self.write_phase(phase, 0)
            self.write_stores(lambda access, cell: not self.is_element_store(access))
        self.scopes.pop()
        self.units = before

    # ---- rows -----------------------------------------------------------------------------------

    def write_row(self):
        for phase in range(self.phases):
            if phase:
                self.write_cells(self.select(0, phase))
            self.write_phase(phase, 0)
        self.write_stores(lambda access, cell: not self.is_element_store(access))

    # ---- phases: one walk over the reduction loops --------------------------------------------------

    def write_phase(self, phase, _):
        """Walks the reduction loops once: reductions of `phase`, and stores that can be made."""
        plan, f = self.plan, self.f
        reduces = [c for c in plan.cells if c.op == "reduce" and c.phase == phase + 1]
        stores = [(a, c) for a, c in plan.stores if self.is_element_store(a)
                  and self.store_phase(c) == phase]
        if not reduces and not stores:
            return
        needed = self.needed([o for r in reduces for o in r.operands] + [c for _, c in stores])
        reducers = [Reducer(f, r.attrs[0], r.operands[0].dtype) for r in reduces]
        if plan.shape == "columns":
            starts = [[r.start(u.lanes) for u in self.units] for r in reducers]
        else:
            wide = plan.unroll if reduces else 1
            starts = [[r.start(self.lanes) for _ in range(wide)] for r in reducers]
            if not self.masked_tail:
                for r, start in zip(reducers, starts):
                    start.append(r.start(0))
        work = (reduces, reducers, stores, needed)
        ends = self.walk(0, work, starts)
        for r, reducer, accumulators in zip(reduces, reducers, ends):
            if plan.shape == "columns":
                for u, accumulator in enumerate(accumulators):
                    value = self.rounded(r, reducer.result(accumulator))
                    self.scopes[-1][r, u if self.laned[r] else None] = value
                continue
            scalar = None
            if not self.masked_tail:
                scalar = accumulators.pop()
            while len(accumulators) > 1:
                accumulators = [reducer.combine(a, b) for a, b in
                                zip(accumulators[::2], accumulators[1::2])]
            total = reducer.fold(accumulators[0])
            if scalar is not None:
                total = reducer.combine(total, scalar)
            self.scopes[-1][r, None] = self.rounded(r, reducer.result(total))

    def rounded(self, cell, value):
        from .fused_operations import round_value
        return round_value(self.f, cell.dtype, value)

    def store_phase(self, cell):
        return cell.phase

    def needed(self, roots):
        """The cells inside the reduction loops that `roots` need, operands first."""
        found, stack = set(), list(roots)
        while stack:
            cell = stack.pop()
            if cell in found or not self.nested[cell] or cell.op == "reduce":
                continue
            found.add(cell)
            stack.extend(cell.operands)
        return sorted(found, key=self.position.__getitem__)

    def walk(self, level, work, accumulators):
        """The loops of a phase from `level` inwards; returns the accumulators after them."""
        plan, f = self.plan, self.f
        reduces, reducers, stores, needed = work
        if level == len(plan.reduce_nest):
            if plan.shape == "rows":
                return self.walk_lanes(work, accumulators)
            return self.turn(work, accumulators, range(len(self.units)))
        k = plan.reduce_nest[level]
        flat, rebuild = _flatten(accumulators)
        with f.loop(0, self.int_arg(plan.extent_slot[k]), carried=flat, at_least_once=True) as loop:
            self.scopes.append({})
            self.index[k] = loop.index
            inner = plan.level[k]
            last = plan.shape == "columns" and level == len(plan.reduce_nest) - 1
            if not last:
                self.write_cells([c for c in needed if self.depths[c] == inner])
            inside = self.walk(level + 1, work, rebuild(loop.carried))
            loop.next(_flatten(inside)[0])
            del self.index[k]
            self.scopes.pop()
        return rebuild(loop.results)

    def turn(self, work, accumulators, slots):
        """The innermost body once: the cells, the reductions' steps, the stores."""
        plan = self.plan
        reduces, reducers, stores, needed = work
        deepest = plan.lane_level if plan.shape == "rows" else plan.level[plan.reduce_nest[-1]]
        self.write_cells([c for c in needed if self.depths[c] == deepest])
        result = [list(a) for a in accumulators]
        for i, (r, reducer) in enumerate(zip(reduces, reducers)):
            for u, slot in zip(range(len(self.units)), slots):
                unit = self.units[u]
                # columns may reduce what is the same in all lanes
                item = (self.get(r.operands[0], u, True),)
                if reducer.with_index:
                    index, = plan.index_plan[r]
                    item += (self.affine_value(index, u, 64, bool(unit.lanes)),)
                mask = unit.mask if plan.shape == "rows" else None
                result[i][slot] = reducer.step(result[i][slot], item, mask)
        for access, cell in stores:
            for u in range(len(self.units)):
                self.write_store(access, cell, u)
        return result

    def walk_lanes(self, work, accumulators):
        """The lane loop of a row: unrolled vectors, then single ones under a mask."""
        plan, f, lanes = self.plan, self.f, self.lanes
        wide = plan.unroll if work[0] else 1
        extent = self.int_arg(plan.extent_slot[plan.lane_loop])
        step = wide * lanes
        whole = extent & -step
        before = self.units

        def run(begin, end, step, units_at, slots, accumulators):
            flat, rebuild = _flatten(accumulators)
            with f.loop(begin, end, step, carried=flat) as loop:
                self.scopes.append({})
                self.units = units_at(loop.index)
                inside = self.turn(work, rebuild(loop.carried), slots)
                if flat:
                    loop.next(_flatten(inside)[0])
                self.scopes.pop()
            return rebuild(loop.results)

        accumulators = run(0, whole, step, lambda i: [
            _Unit(i + u * lanes if u else i, None, lanes) for u in range(wide)],
            range(wide), accumulators)
        if self.masked_tail:
            accumulators = run(whole, extent, lanes, lambda i: [
                _Unit(i, f.tail_mask(extent - i, lanes), lanes)], [0], accumulators)
        else:
            vectors = whole + ((extent - whole) & -lanes)
            if wide > 1:
                accumulators = run(whole, vectors, lanes, lambda i: [_Unit(i, None, lanes)],
                                   [0], accumulators)
            accumulators = run(vectors, extent, 1, lambda i: [_Unit(i, None, 0)],
                               [wide], accumulators)
        self.units = before
        return accumulators


    # ---- epilogues ------------------------------------------------------------------------------

    def write_epilogue(self, value, row, column, mask):
        """The stores of an epilogue other than the product's own; returns what that stores."""
        plan = self.plan
        self.index_order = plan.outer
        self.given = value
        self.units = [_Unit(column, mask, value.type.lanes)]
        self.split_row(row)
        self.write_cells(plan.cells)
        for i, (access, cell) in enumerate(plan.stores):
            if i != plan.main_store:
                self.write_store(access, cell, 0)
        return self.get(plan.main, 0, True)


def _flatten(accumulators):
    """Nested accumulators as a flat list, and the way back."""
    sizes = [[len(a) for a in row] for row in accumulators]
    flat = [v for row in accumulators for a in row for v in a]

    def rebuild(values):
        values = iter(values)
        return [[tuple(next(values) for _ in range(n)) for n in row] for row in sizes]
    return flat, rebuild


def write_kernel(plan) -> str:
    """The IR text of a planned kernel."""
    return _Writer(plan).write()


def write_epilogue(plan, f, value, row, column, mask, slot):
    """Writes an epilogue's instructions into the function `f` of a product's kernel."""
    with f.fast_math(""):
        return _Writer(plan, f, slot).write_epilogue(value, row, column, mask)
