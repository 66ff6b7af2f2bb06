"""Writes the loops of a fused kernel from its plan: see `fused` for the three shapes."""

from __future__ import annotations

from ._fused_cells import CellWriter, Unit
from .emitter import VOID
from .fused_operations import memory_type, round_value
from .reducers import Reducer

__all__ = ["prefetch_epilogue", "write_epilogue", "write_kernel"]

COLUMN_UNROLL = 4


class _Writer(CellWriter):
    """The loops of one kernel under construction."""

    # ---- the kernel -----------------------------------------------------------------------------

    def write(self):
        f, plan = self.f, self.plan
        self.index_order = plan.outer + plan.reduce_nest
        self.units = [Unit(f.i64(0), None, 0)]
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
        if any(access.past_caches for access, _ in plan.stores):
            # other threads see stores past the caches only behind a fence
            f.call("llvm.x86.sse.sfence", VOID, [])
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
            self.write_units([Unit(loop.index + u * lanes if u else loop.index, None, lanes)
                              for u in range(unroll)])
        if plan.shape == "columns" and not self.masked_tail:
            vectors = whole + ((end - whole) & -lanes)
            with f.loop(whole, vectors, lanes) as loop:
                self.write_units([Unit(loop.index, None, lanes)])
            whole = vectors
        if self.masked_tail:
            with f.loop(whole, end, lanes) as loop:
                mask = f.tail_mask(end - loop.index, lanes)
                self.write_units([Unit(loop.index, mask, lanes)])
        else:
            with f.loop(whole, end) as loop:
                self.write_units([Unit(loop.index, None, 0)])

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

    # ---- phases: one walk over the reduction loops ----------------------------------------------

    def write_phase(self, phase, _):
        """Walks the reduction loops once: reductions of `phase`, and stores that can be made."""
        plan, f = self.plan, self.f
        reduces = [c for c in plan.cells if c.op == "reduce" and c.phase == phase + 1]
        stores = [(a, c) for a, c in plan.stores if self.is_element_store(a)
                  and self.store_phase(c) == phase]
        if not reduces and not stores:
            return
        roots = [o for r in reduces for o in r.operands] + [c for _, c in stores]
        needed = sorted(plan.needed(roots, phase), key=self.position.__getitem__)
        self.phase = phase
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
        return round_value(self.f, cell.dtype, value)

    def store_phase(self, cell):
        return cell.phase

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
            Unit(i + u * lanes if u else i, None, lanes) for u in range(wide)],
            range(wide), accumulators)
        if self.masked_tail:
            accumulators = run(whole, extent, lanes, lambda i: [
                Unit(i, f.tail_mask(extent - i, lanes), lanes)], [0], accumulators)
        else:
            vectors = whole + ((extent - whole) & -lanes)
            if wide > 1:
                accumulators = run(whole, vectors, lanes, lambda i: [Unit(i, None, lanes)],
                                   [0], accumulators)
            accumulators = run(vectors, extent, 1, lambda i: [Unit(i, None, 0)],
                               [wide], accumulators)
        self.units = before
        return accumulators


    # ---- epilogues ------------------------------------------------------------------------------

    def write_epilogue(self, value, row, column, mask):
        """The stores of an epilogue other than the product's own; returns what that stores."""
        plan = self.plan
        self.index_order = plan.outer
        self.given = value
        self.units = [Unit(column, mask, value.type.lanes)]
        self.split_row(row)
        self.write_cells(plan.cells)
        for i, (access, cell) in enumerate(plan.stores):
            if i != plan.main_store:
                self.write_store(access, cell, 0)
        return self.get(plan.main, 0, True)

    def prefetch_epilogue(self, row, column):
        """Asks for the lines of a row that an epilogue reads and writes beside the product."""
        plan, f = self.plan, self.f
        self.index_order = plan.outer
        self.units = [Unit(column, None, self.lanes)]
        self.split_row(row)
        wanted = [(access, cell.dtype, False) for cell, access in plan.access.items()
                  if cell.attrs[2] is None]
        wanted += [(access, cell.dtype, True) for i, (access, cell) in enumerate(plan.stores)
                   if i != plan.main_store]
        for access, dtype, write in wanted:
            if access.lane == 1 and access.strides and not access.values:
                pointer, first, _, _ = self.address(access, 0)
                f.prefetch(pointer, first, memory_type(dtype), write=write)


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


def prefetch_epilogue(plan, f, row, column, slot):
    """Writes the prefetches of an epilogue's rows into the function `f` of a product's kernel."""
    _Writer(plan, f, slot).prefetch_epilogue(row, column)
