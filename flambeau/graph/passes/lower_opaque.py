"""Lowers single nodes that are not fused to their planners' kernel calls.

Used by `compile` for the opaque steps of a partition. None means that there is no native code for
the node, and NumPy evaluates it.
"""

from __future__ import annotations

from ...codegen.contract import contraction_form, plan_contract
from ...codegen.convolve import ConvolveShape, plan_convolve
from ...codegen.convolve_weight import plan_convolve_weight
from ...codegen.fused_operations import unsupported_dtype
from ...codegen.indexed import plan_scan, plan_scatter
from ...codegen.kernel_call import Operand
from ...codegen.pooling import (
    PoolShape,
    plan_max_pool,
    plan_max_pool_gradient,
    plan_sum_pool,
    plan_sum_pool_gradient,
)
from .assign_layouts import in_planes, is_native_window

__all__ = ["plan_opaque"]


def plan_opaque(step, pointer_of, allocate, epilogue=None, flag=None):
    """The calls for a step, or None; an epilogue is for contractions and convolutions alone."""
    planner = _PLANNERS.get(step.node.op)
    if planner is None:
        return None
    if planner is _scatter:
        return _scatter(step, pointer_of, flag)
    if epilogue is None:
        return planner(step, pointer_of, allocate)
    return planner(step, pointer_of, allocate, epilogue)


def _operand(view, pointer_of):
    return pointer_of(view.base).shifted(view.offset * view.base.dtype.itemsize)


def _contract(step, pointer_of, allocate, epilogue=None):
    node, attrs = step.node, step.node.attrs
    if node.dtype.name not in ("float32", "float64"):
        return None
    a, b = node.inputs
    va, vb = step.operands
    form = contraction_form(a.shape, va.strides, b.shape, vb.strides, attrs["batch_a"],
                            attrs["batch_b"], attrs["contract_a"], attrs["contract_b"])
    if form is None:
        return None
    batch, m, n, k, a_strides, b_strides = form
    out = Operand(pointer_of(step.main or node), (batch[1] * m * n, m * n, n, 1))
    return plan_contract(
        batch=batch, m=m, n=n, k=k, a=Operand(_operand(va, pointer_of), a_strides),
        b=Operand(_operand(vb, pointer_of), b_strides), out=out, dtype=node.dtype.name,
        allocate=allocate, epilogue=epilogue,
        label=f"contract {batch[0] * batch[1]}x{m}x{n}x{k}")


# ---- convolutions -------------------------------------------------------------------------------


def _shape_of(x, w_shape, out, attrs, dtype):
    return ConvolveShape(
        batch=x.shape[0], groups=attrs["groups"], inputs=x.shape[1], outputs=w_shape[0],
        extents=tuple(x.shape[2:]), size=tuple(w_shape[2:]), out=tuple(out[2:]),
        stride=attrs["stride"], padding=attrs["padding"], dilation=attrs["dilation"],
        base_dilation=attrs["base_dilation"], dtype=dtype.name)


def _image_operand(view, pointer_of):
    """Strides as (image, spatial..., channel)."""
    s = view.strides
    return Operand(_operand(view, pointer_of), (s[0], *s[2:], s[1]))


def _convolve(step, pointer_of, allocate, epilogue=None):
    node = step.node
    if not is_native_window(node):
        return None
    x, w = node.inputs
    vx, vw = step.operands
    shape = _shape_of(x, w.shape, node.shape, node.attrs, node.dtype)
    s = vw.strides
    weights = Operand(_operand(vw, pointer_of),
                      (s[0] * (w.shape[0] // shape.groups), s[0], s[1], *s[2:]))
    return plan_convolve(
        shape, x=_image_operand(vx, pointer_of), w=weights, out=pointer_of(step.main or node),
        allocate=allocate, epilogue=epilogue,
        label=f"convolve {_times(x.shape)} by {_times(w.shape)}")


def _convolve_weight(step, pointer_of, allocate):
    node = step.node
    if not is_native_window(node):
        return None
    x, dy = node.inputs
    vx, vdy = step.operands
    shape = _shape_of(x, node.shape, dy.shape, node.attrs, node.dtype)
    return plan_convolve_weight(
        shape, x=_image_operand(vx, pointer_of), dy=_operand(vdy, pointer_of),
        dw=pointer_of(node), allocate=allocate,
        label=f"convolve_weight {_times(x.shape)} to {_times(node.shape)}")


def _times(shape):
    return "x".join(map(str, shape))


# ---- pools --------------------------------------------------------------------------------------


def _pool_shape(node, wide, pooled):
    """(PoolShape, whether it works on planes) from the shapes of both sides."""
    attrs, n = node.attrs, len(node.attrs["size"])
    planes = in_planes(node)
    batch = 1
    for extent in wide[:-n] if planes else wide[:1]:
        batch *= extent
    return PoolShape(
        batch=batch, channels=1 if planes else wide[1], extents=tuple(wide[-n:]),
        size=attrs["size"], out=tuple(pooled[-n:]), stride=attrs["stride"],
        padding=attrs["padding"], dilation=attrs["dilation"],
        dtype=node.inputs[0].dtype.name), planes


def _pool_operand(view, shape, planes, pointer_of, wide):
    s = view.strides
    if not planes:
        return _image_operand(view, pointer_of)
    n = len(shape.extents)
    lead = [(e, t) for e, t in zip(wide[:-n], s[:-n]) if e != 1]
    for (_, outer), (extent, inner) in zip(lead, lead[1:]):
        if outer != extent * inner:
            return None
    image = lead[-1][1] if lead else 0
    return Operand(_operand(view, pointer_of), (image, *s[-n:], 1))


def _pool(step, pointer_of, allocate):
    node = step.node
    if not is_native_window(node):
        return None
    wide = node.inputs[0].shape
    shape, planes = _pool_shape(node, wide, node.shape)
    x = _pool_operand(step.operands[0], shape, planes, pointer_of, wide)
    if x is None:
        return None
    label = f"{node.op} {_times(wide)}"
    if node.op == "sum_pool":
        return plan_sum_pool(shape, x=x, out=pointer_of(node), label=label)
    if node.op == "max_pool":
        return plan_max_pool(shape, x=x, out=pointer_of(node), label=label)
    return plan_max_pool(shape, x=x, index=pointer_of(node), label=label)


def _pool_gradient(step, pointer_of, allocate):
    node = step.node
    if not is_native_window(node):
        return None
    pooled = node.inputs[-1]
    shape, planes = _pool_shape(node, node.shape, pooled.shape)
    dy = _operand(step.operands[-1], pointer_of)
    label = f"{node.op} {_times(node.shape)}"
    if node.op == "sum_pool_gradient":
        return plan_sum_pool_gradient(shape, dy=dy, dx=pointer_of(node), label=label)
    x = _pool_operand(step.operands[0], shape, planes, pointer_of, node.shape)
    if x is None:
        return None
    return plan_max_pool_gradient(shape, dy=dy, dx=pointer_of(node), allocate=allocate, x=x,
                                  label=label)


# ---- along one dimension ------------------------------------------------------------------------


def _concatenate(step, pointer_of, allocate):
    return [] if step.pieces or not step.node.numel else None


def _sides(shape, dim):
    """(elements before, extent, elements after) a dimension."""
    outer = inner = 1
    for d, extent in enumerate(shape):
        if d < dim:
            outer *= extent
        elif d > dim:
            inner *= extent
    return outer, shape[dim], inner


def _scatter(step, pointer_of, flag):
    node, attrs = step.node, step.node.attrs
    if not step.pieces:
        return None
    dim = attrs["dim"]
    outer, extent, inner = _sides(node.shape, dim)
    flags, number = flag(node)
    index = node.inputs[1]
    return [plan_scatter(
        outer=outer, count=index.numel if node.op == "put" else index.shape[dim], extent=extent,
        inner=inner, index=_operand(step.operands[1], pointer_of), shared=node.op == "put",
        values=_operand(step.operands[2], pointer_of), out=pointer_of(node), mode=attrs["mode"],
        dtype=node.dtype, flags=flags, flag=number,
        label=f"{node.op} {attrs['mode']} {_times(node.shape)}")]


def _scan(step, pointer_of, allocate):
    node = step.node
    if unsupported_dtype(node.dtype):
        return None
    outer, count, inner = _sides(node.shape, node.attrs["dim"])
    return [plan_scan(
        outer=outer, count=count, inner=inner, x=_operand(step.operands[0], pointer_of),
        out=pointer_of(node), product=node.op == "cumprod", dtype=node.dtype,
        label=f"{node.op} {_times(node.shape)}")]


_PLANNERS = {"concatenate": _concatenate, "put": _scatter, "scatter": _scatter,
             "cumsum": _scan, "cumprod": _scan,
             "contract": _contract, "convolve": _convolve, "convolve_weight": _convolve_weight,
             "max_pool": _pool, "sum_pool": _pool, "max_pool_index": _pool,
             "max_pool_gradient": _pool_gradient, "sum_pool_gradient": _pool_gradient}
