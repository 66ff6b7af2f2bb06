"""Lowers single nodes that are not fused to their planners' kernel calls.

Used by `compile` for the opaque steps of a partition. None means that there is no native code for
the node, and NumPy evaluates it.
"""

from __future__ import annotations

from ...codegen.contract import contraction_form, plan_contract
from ...codegen.kernel_call import Operand
from .partition import row_major

__all__ = ["plan_opaque"]


def plan_opaque(step, pointer_of, allocate):
    """The calls for a step, or None."""
    planner = _PLANNERS.get(step.node.op)
    if planner is None:
        return None
    return planner(step, pointer_of, allocate)


def _operand(view, pointer_of):
    return pointer_of(view.base).shifted(view.offset * view.base.dtype.itemsize)


def _contract(step, pointer_of, allocate):
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
    out = Operand(pointer_of(node), (batch[1] * m * n, m * n, n, 1))
    return plan_contract(
        batch=batch, m=m, n=n, k=k, a=Operand(_operand(va, pointer_of), a_strides),
        b=Operand(_operand(vb, pointer_of), b_strides), out=out, dtype=node.dtype.name,
        allocate=allocate, label=f"contract {batch[0] * batch[1]}x{m}x{n}x{k}")


_PLANNERS = {"contract": _contract}

__all__ += ["row_major"]
