"""torch.autograd.graph: what is public of the gradient graph."""

from __future__ import annotations

from .nodes import GradNode as Node

__all__ = ["Node"]
