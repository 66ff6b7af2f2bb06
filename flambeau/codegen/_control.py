"""Loops and branches of the emitter, as context managers that place phi nodes themselves."""

from flambeau.codegen.types import I64

__all__ = ["Branch", "Loop", "While"]


class _Carrying:
    """What loops share: phi nodes at the head whose second incoming value is known at the end."""

    def _open_head(self, f, carried, incoming):
        self.f = f
        self._head = f.label("head")
        self._initial = [v for v in carried]
        self._next = None
        self._came_from = incoming
        f.emit(f"br label %{self._head}")

    def _place_phis(self, extra=0):
        """Starts the head block and reserves one line for each phi."""
        f = self.f
        f.start_block(self._head)
        self._phi_line = len(f._lines)
        self.carried = []
        for initial in self._initial:
            self.carried.append(f.value("", initial.type, initial.scope))
        return [f.value("", I64) for _ in range(extra)]

    def next(self, *values):
        """Hands the values of the next turn on, in the order of `carried`."""
        if len(values) == 1 and isinstance(values[0], (list, tuple)):
            values = values[0]
        if len(values) != len(self._initial):
            raise ValueError(f"the loop carries {len(self._initial)} values; "
                             f"next() received {len(values)}")
        if self._next is not None:
            raise ValueError("next() was already called in this loop")
        self._next = [self.f.like(old, v) for old, v in zip(self.carried, values)]
        for old, v in zip(self.carried, self._next):
            if v.type is not old.type:
                raise TypeError(f"a carried value of type {old.type} was given {v.type}")

    def _fill_phi(self, line, phi, initial, following, latch):
        self.f._lines[line] = (f"{phi.text} = phi {phi.type} [ {initial.text}, "
                               f"%{self._came_from} ], [ {following.text}, %{latch} ]")

    def _close_phis(self, latch):
        if self._initial and self._next is None:
            raise ValueError("a loop with carried values must call loop.next(...)")
        rows = zip(self.carried, self._initial, self._next or ())
        for i, (phi, initial, following) in enumerate(rows):
            self._fill_phi(self._phi_line + i, phi, initial, following, latch)


class Loop(_Carrying):
    """`Function.loop`: guarded once, then tested at the bottom, as LLVM likes its loops."""

    def __init__(self, f, begin, end, step, carried, at_least_once):
        self.f = f
        self._begin, self._end, self._step = f.i64(begin), f.i64(end), f.i64(step)
        known = isinstance(begin, int) and isinstance(end, int) and begin < end
        self._carried, self._guarded = list(carried), not (at_least_once or known)

    def __enter__(self):
        f = self.f
        self._exit = f.label("exit")
        self._before = f.block
        if self._guarded:
            enter = f.label("enter")
            runs = f.lt(self._begin, self._end)
            f.emit(f"br i1 {runs.text}, label %{enter}, label %{self._exit}")
            f.start_block(enter)
        self._open_head(f, self._carried, f.block)
        self.index, = self._place_phis(1)
        return self

    def __exit__(self, kind, error, trace):
        if kind:
            return False
        f = self.f
        following = f.value(f"add nsw i64 {self.index.text}, {self._step.text}", I64)
        again = f.lt(following, self._end)
        latch = f.block
        # loops are written out as they should be: LLVM must not unroll them again
        note = f.module.metadata_once('!{!"llvm.loop.unroll.disable"}')
        hint = f.module.metadata()
        f.module.set_metadata(hint, f"distinct !{{!{hint}, !{note}}}")
        f.emit(f"br i1 {again.text}, label %{self._head}, label %{self._exit}, !llvm.loop !{hint}")
        self._close_phis(latch)
        self._fill_phi(self._phi_line + len(self._initial), self.index, self._begin, following,
                       latch)
        f.start_block(self._exit)
        self.results = []
        for initial, last in zip(self._initial, self._next or ()):
            skipped = f"[ {initial.text}, %{self._before} ], " if self._guarded else ""
            self.results.append(f.value(f"phi {initial.type} {skipped}[ {last.text}, %{latch} ]",
                                        initial.type, initial.scope))
        return False


class While(_Carrying):
    """`Function.while_loop`: runs until one of its `leave_if` conditions holds."""

    def __init__(self, f, carried):
        self.f = f
        self._carried = list(carried)
        self._leaves = []

    def __enter__(self):
        f = self.f
        self._exit = f.label("exit")
        self._open_head(f, self._carried, f.block)
        self._place_phis()
        return self

    def leave_if(self, condition, values=None):
        """Leaves the loop when the i1 `condition` holds, with `values` as its results."""
        f = self.f
        values = list(self.carried if values is None else values)
        self._leaves.append((f.block, values))
        stay = f.label("stay")
        f.emit(f"br i1 {condition.text}, label %{self._exit}, label %{stay}")
        f.start_block(stay)

    def __exit__(self, kind, error, trace):
        if kind:
            return False
        if not self._leaves:
            raise ValueError("a while_loop needs at least one leave_if(condition)")
        f = self.f
        latch = f.block
        f.emit(f"br label %{self._head}")
        self._close_phis(latch)
        f.start_block(self._exit)
        self.results = []
        for column in zip(*(values for _, values in self._leaves)):
            incoming = ", ".join(f"[ {v.text}, %{block} ]"
                                 for v, (block, _) in zip(column, self._leaves))
            self.results.append(f.value(f"phi {column[0].type} {incoming}", column[0].type))
        return False


class Branch:
    """`Function.if_`: one or two sides, whose given values meet in phi nodes."""

    def __init__(self, f, condition):
        self.f, self._condition = f, condition
        self._given = []
        self._sides = []

    def __enter__(self):
        f = self.f
        self._then, self._join = f.label("then"), f.label("join")
        self._jump_line = len(f._lines)
        self._from = f.block
        f.emit("")
        f.start_block(self._then)
        return self

    def give(self, *values):
        """The values with which this side ends."""
        self._given.append(list(values))

    def _end_side(self):
        self._sides.append(self.f.block)
        self.f.emit(f"br label %{self._join}")

    def _write_jump(self, other):
        self.f._lines[self._jump_line] = (f"br i1 {self._condition.text}, label %{self._then}, "
                                          f"label %{other}")

    def _open_join(self):
        self.f.start_block(self._join)
        self.results = []
        if len(self._given) == len(self._sides) == 2:
            for a, b in zip(*self._given):
                if a.type is not b.type:
                    raise TypeError(f"the sides of a branch give {a.type} and {b.type}")
                text = (f"phi {a.type} [ {a.text}, %{self._sides[0]} ], "
                        f"[ {b.text}, %{self._sides[1]} ]")
                self.results.append(self.f.value(text, a.type))
        elif self._given and len(self._sides) == 2:
            raise ValueError("both sides of a branch must give values, or none")

    def __exit__(self, kind, error, trace):
        if kind:
            return False
        self._end_side()
        self._write_jump(self._join)
        self._open_join()
        self._end_line = len(self.f._lines)
        return False

    def otherwise(self):
        """The other side, opened directly after the first: `with branch.otherwise(): ...`."""
        return _Otherwise(self)


class _Otherwise:
    def __init__(self, branch):
        self._branch = branch

    def __enter__(self):
        branch = self._branch
        f = branch.f
        if len(f._lines) != branch._end_line:
            raise ValueError("otherwise() must directly follow the `with f.if_(...)` block")
        f._lines.pop()  # the join label moves behind this side
        other = f.label("else")
        branch._write_jump(other)
        f.start_block(other)
        return branch

    def __exit__(self, kind, error, trace):
        if kind:
            return False
        self._branch._end_side()
        self._branch._open_join()
        return False
