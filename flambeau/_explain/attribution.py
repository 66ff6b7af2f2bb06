"""Shares out a kernel's time over the calls that it computes, and names them.

A kernel computes parts of several of the user's calls, which cannot be measured one by one. They
are weighted by the operations that they need: products by their multiplications and additions,
everything else by its elements, ten for one of the dear functions such as exp.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..codegen.fused_operations import EXPENSIVE
from ..graph.ir import PRIMITIVES

__all__ = ["Share", "call_name", "shares_of"]

_PRODUCTS = frozenset(("contract", "convolve", "convolve_weight"))
_SUFFIXES = ("_train", "_eval")


class Share(NamedTuple):
    """One call's part in a kernel: the fraction of its time and its floating-point operations."""

    site: Any                 # record.sites.Site, or None for what the compiler added
    ops: tuple[str, ...]      # the primitives computed for it
    fraction: float
    flops: float


def shares_of(kernel) -> list[Share]:
    """The calls in a kernel (`graph.executable.KernelInfo`); the fractions add up to 1."""
    sites: dict[int, Any] = {}
    ops: dict[int, dict[str, None]] = {}
    weights: dict[int, float] = {}
    others, products = 0.0, []
    for site, op, shape in kernel.parts:
        if PRIMITIVES[op].kind == "leaf":
            continue
        key = id(site)
        sites[key] = site
        ops.setdefault(key, {})[op] = None
        weights.setdefault(key, 0.0)
        if op in _PRODUCTS:
            products.append(key)
        elif PRIMITIVES[op].kind != "movement" or kernel.flops == 0:
            weight = math.prod(shape) * (10.0 if op in EXPENSIVE else 1.0)
            weights[key] += weight
            others += weight
    for key in products:
        # a kernel that packs the operands of a product has no operations, but belongs to it
        weights[key] += max(kernel.flops - others, 0.0 if kernel.flops else 9 * others, 1.0) \
            / len(products)
    total = sum(weights.values())
    if not total:
        weights = dict.fromkeys(weights, 1.0)
        total = float(len(weights))
    return [Share(sites[key], tuple(ops[key]), weight / total, kernel.flops * weight / total)
            for key, weight in weights.items()]


def call_name(site) -> str:
    """What a call is called in reports: ``conv2d``, ``grad(conv2d)``."""
    if site is None:
        return "layout"
    name = site.operation.strip("_").rpartition(".")[2] if "step" not in site.operation else (
        site.operation)
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return f"grad({name})" if site.forward is not None else name or "copy"
