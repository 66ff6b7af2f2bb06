"""``torch.utils._pytree``: nested lists, tuples and dicts as a list of leaves and a structure."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

__all__ = ["TreeSpec", "tree_all", "tree_any", "tree_flatten", "tree_iter", "tree_leaves",
           "tree_map", "tree_map_", "tree_map_only", "tree_structure", "tree_unflatten"]


class TreeSpec:
    """The structure of a tree: the type and keys of a node, and its children; None for a leaf."""

    def __init__(self, type: Any = None, context: Any = None,
                 children_specs: list[TreeSpec] | None = None):
        self.type, self.context, self.children_specs = type, context, children_specs or []

    @property
    def num_leaves(self) -> int:
        """How many leaves the structure holds."""
        return 1 if self.type is None else sum(c.num_leaves for c in self.children_specs)

    def is_leaf(self) -> bool:
        """Whether this is a leaf."""
        return self.type is None

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, TreeSpec) and (self.type, self.context, self.children_specs) == (
            other.type, other.context, other.children_specs)

    def __repr__(self) -> str:
        if self.type is None:
            return "*"
        return f"TreeSpec({self.type.__name__}, {self.context}, {self.children_specs})"


def _children(node: Any) -> tuple[Any, list] | None:
    """(context, children) of a node; None for a leaf."""
    kind = type(node)
    if kind in (dict, OrderedDict):
        return list(node), list(node.values())
    if kind is defaultdict:
        return (node.default_factory, list(node)), list(node.values())
    if kind is deque:
        return node.maxlen, list(node)
    if kind in (list, tuple) or isinstance(node, tuple) and hasattr(node, "_fields"):
        return None, list(node)
    return None


def _rebuilt(spec: TreeSpec, children: list) -> Any:
    kind, context = spec.type, spec.context
    if kind in (dict, OrderedDict):
        return kind(zip(context, children))
    if kind is defaultdict:
        return defaultdict(context[0], zip(context[1], children))
    if kind is deque:
        return deque(children, context)
    return kind(*children) if hasattr(kind, "_fields") else kind(children)


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list, TreeSpec]:
    """(leaves, structure) of a tree.

    >>> leaves, spec = tree_flatten({"a": [1, 2], "b": 3})
    >>> leaves, tree_unflatten([10, 20, 30], spec)
    ([1, 2, 3], {'a': [10, 20], 'b': 30})
    """
    found = None if is_leaf is not None and is_leaf(tree) else _children(tree)
    if found is None:
        return [tree], TreeSpec()
    leaves, specs = [], []
    for child in found[1]:
        below, spec = tree_flatten(child, is_leaf)
        leaves += below
        specs.append(spec)
    return leaves, TreeSpec(type(tree), found[0], specs)


def tree_unflatten(leaves, treespec: TreeSpec) -> Any:
    """The tree of a structure with these leaves."""
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(f"tree_unflatten(leaves, treespec): `leaves` has length {len(leaves)} but "
                         f"the spec refers to a pytree that holds {treespec.num_leaves} items "
                         f"({treespec}).")
    iterator = iter(leaves)

    def build(spec):
        if spec.type is None:
            return next(iterator)
        return _rebuilt(spec, [build(c) for c in spec.children_specs])
    return build(treespec)


def tree_leaves(tree: Any, is_leaf=None) -> list:
    """The leaves."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree: Any, is_leaf=None):
    """An iterator over the leaves."""
    return iter(tree_leaves(tree, is_leaf))


def tree_structure(tree: Any, is_leaf=None) -> TreeSpec:
    """The structure."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable, tree: Any, *rests: Any, is_leaf=None) -> Any:
    """The tree of func(leaf, ...)."""
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [tree_leaves(r, is_leaf) for r in rests]
    return tree_unflatten([func(*row) for row in zip(leaves, *others)], spec)


def tree_map_(func: Callable, tree: Any, *rests: Any, is_leaf=None) -> Any:
    """Call func on every leaf; the tree itself."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(kinds: Any, func: Callable, tree: Any, is_leaf=None) -> Any:
    """As tree_map, for leaves of some types; others stay."""
    return tree_map(lambda x: func(x) if isinstance(x, kinds) else x, tree, is_leaf=is_leaf)


def tree_all(pred: Callable, tree: Any, is_leaf=None) -> bool:
    """Whether all leaves fulfil pred."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable, tree: Any, is_leaf=None) -> bool:
    """Whether a leaf fulfils pred."""
    return any(map(pred, tree_leaves(tree, is_leaf)))
