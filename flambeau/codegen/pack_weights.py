"""The weights of a convolution in the order in which the tile reads them.

Beside `convolve`: phase by phase, group by group, panel of output channels by panel, tap by tap,
and for each input channel the panel's output channels next to each other:

    packed[phase][group][panel][tap][channel][column]

`WeightLayout` says where everything lies, `plan_pack_weights` fills it from weights with any
strides: logical (O, I / groups, spatial...), flipped and transposed for gradients, channels-last.
"""

from __future__ import annotations

import dataclasses
import functools

from flambeau.codegen.emitter import I64, Module, vector
from flambeau.codegen.kernel_call import (
    ArgumentTable,
    Integer,
    KernelCall,
    Operand,
    Pointer,
    default_grain,
)
from flambeau.codegen.packing import define_pack_columns, square_side
from flambeau.codegen.tile import element_type, pick_panels, vector_lanes

__all__ = ["WeightLayout", "plan_pack_weights", "tap_order", "tap_place"]


@dataclasses.dataclass(frozen=True)
class WeightLayout:
    """Packed weights: `slots` holds, by phase, the flat tap index (row-major) of each slot."""

    dtype: str
    groups: int
    inputs: int   # channels in one group
    outputs: int  # channels out of one group
    size: tuple[int, int, int]
    slots: tuple[tuple[int, ...], ...]

    @property
    def widths(self) -> tuple[int, int]:
        """(columns of a full panel, of the last, partial one), 0 where there is none."""
        return pick_panels(self.outputs, self.dtype)

    @property
    def panel(self) -> int:
        """Columns of a panel other than the last."""
        full, last = self.widths
        return full or last

    @property
    def panels(self) -> int:
        """Panels of one group."""
        return -(-self.outputs // self.panel)

    @property
    def columns(self) -> int:
        """Columns of all panels of one group, with those that pad the last."""
        full, last = self.widths
        return (self.outputs // full * full if full else 0) + last

    def phase_start(self, phase: int) -> int:
        """The element at which a phase begins; that of the phase after the last is the size."""
        taps = sum(len(slots) for slots in self.slots[:phase])
        return taps * self.groups * self.inputs * self.columns

    def group_size(self, phase: int) -> int:
        """Elements of one group in a phase."""
        return len(self.slots[phase]) * self.inputs * self.columns

    @property
    def nbytes(self) -> int:
        """Bytes of the whole."""
        return self.phase_start(len(self.slots)) * (4 if self.dtype == "float32" else 8)


_INTEGERS = ("inputs", "outputs", "panel", "panels", "last_panel", "c_block", "c_blocks", "taps",
             "slots", "w_group", "w_output", "w_input", "w_tap", "through_taps")


def plan_pack_weights(layout: WeightLayout, w: Operand, packed: Pointer, label="") -> KernelCall:
    """The call that packs weights; `w.strides` are (group, output, input, depth, height, width)."""
    element_size = 4 if layout.dtype == "float32" else 8
    group, output, channel, *steps = w.strides
    taps = layout.size[0] * layout.size[1] * layout.size[2]
    source, order, tap_step = tap_order(layout, w.pointer, steps, element_size)
    # logical weights have their taps next to each other: a panel is turned over scratch
    through_taps = (tap_step is not None and taps > 1 and output != 1 and channel != 1)
    c_block = max(1, min(layout.inputs, (32 << 10) // (taps * layout.panel * element_size)))
    c_blocks = -(-layout.inputs // c_block)
    slots: list[int] = []
    for phase, numbers in enumerate(layout.slots):
        for i, tap in enumerate(numbers):
            # where to read; then start of the slot, its size by panel, step from group to group
            slots += [order[tap] if through_taps else tap_place(tap, layout.size, steps),
                      layout.phase_start(phase), i, len(numbers), layout.group_size(phase)]
    table = ArgumentTable(("w", "packed"), _INTEGERS)
    name, text = _kernel(layout.dtype)
    args = table.fill(
        w=source if through_taps else w.pointer, packed=packed, inputs=layout.inputs,
        outputs=layout.outputs, panel=layout.panel, panels=layout.panels,
        last_panel=layout.columns - (layout.panels - 1) * layout.panel, c_block=c_block,
        c_blocks=c_blocks, taps=taps, slots=len(slots) // 5, w_group=group, w_output=output,
        w_input=channel, w_tap=tap_step or 0, through_taps=through_taps)
    items = layout.groups * layout.panels * c_blocks
    return KernelCall(name, text, args + [Integer(v) for v in slots], items,
                      default_grain(items, layout.nbytes // items, 64 << 10),
                      taps * c_block * layout.panel * element_size, 0, 2 * layout.nbytes,
                      label or "pack weights")


def tap_place(tap, size, steps):
    """Where a tap lies from the first one on; `steps` are the strides of depth, height, width."""
    depth, rest = divmod(tap, size[1] * size[2])
    return depth * steps[0] + rest // size[2] * steps[1] + rest % size[2] * steps[2]


def tap_order(layout, pointer, steps, element_size):
    """(pointer, place of each tap, stride) if the taps are a run in memory, either way round."""
    offsets = [tap_place(tap, layout.size, steps)
               for tap in range(layout.size[0] * layout.size[1] * layout.size[2])]
    first = min(offsets)
    if sorted(offsets) != list(range(first, first + len(offsets))):
        return pointer, {}, None
    order = {tap: offset - first for tap, offset in enumerate(offsets)}
    return pointer.shifted(first * element_size), order, 1


@functools.cache
def _kernel(dtype):
    name = f"pack_weights_{dtype}"
    module = Module(name, pipeline="light")
    lanes = vector_lanes(dtype)
    element = element_type(dtype)
    define_pack_columns(module, element, lanes)
    piece = vector(element, square_side(lanes))
    f = module.kernel(name)
    table = ArgumentTable(("w", "packed"), _INTEGERS)
    w, packed = table.load(f, "w", "packed")
    get = dict(zip(_INTEGERS, table.load(f, *_INTEGERS)))
    slot_table = f.at(f.args, table.size, I64)
    with f.loop(f.begin, f.end) as items:
        block, item = items.index % get["c_blocks"], items.index / get["c_blocks"]
        panel, group = item % get["panels"], item / get["panels"]
        channel = block * get["c_block"]
        count = f.min_int(get["inputs"] - channel, get["c_block"])
        column = panel * get["panel"]
        last = f.eq(panel, get["panels"] - 1)
        width = f.select(last, get["last_panel"], get["panel"])
        exist = f.min_int(get["outputs"] - column, width)
        source = f.at(w, group * get["w_group"] + column * get["w_output"]
                      + channel * get["w_input"], element)

        def pack(to, start, k_stride, k):
            f.call("pack_columns", f.return_type, [to, start, k_stride, get["w_output"], k, exist,
                                                   width])

        with f.if_(f.ne(get["through_taps"], 0)):
            with f.if_(f.eq(get["w_input"], get["taps"])) as run:
                pack(f.scratch, source, f.i64(1), count * get["taps"])
            with run.otherwise():
                with f.loop(0, count) as c:
                    pack(f.at(f.scratch, c.index * get["taps"] * width, element),
                         f.at(source, c.index * get["w_input"], element), f.i64(1), get["taps"])
        with f.loop(0, get["slots"]) as slot:
            tap, start, number, numbers, group_size = (
                f.load(I64, slot_table, slot.index * 5 + i) for i in range(5))
            target = f.at(packed, start + group * group_size
                          + column * numbers * get["inputs"]
                          + (number * get["inputs"] + channel) * width, element)
            with f.if_(f.ne(get["through_taps"], 0)) as through:
                with f.loop(0, count) as c:
                    row = f.at(f.scratch, (c.index * get["taps"] + tap) * width, element)
                    to = f.at(target, c.index * width, element)
                    with f.loop(0, width, piece.lanes) as j:
                        f.store(f.load(piece, row, j.index), to, j.index)
            with through.otherwise():
                pack(target, f.at(source, tap, element), get["w_input"], count)
    return name, module.text()
