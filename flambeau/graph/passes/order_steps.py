"""Orders the steps of a partition so that values die early: less memory, and warmer caches.

After `partition`, before `plan_memory`. In the graph's own order the gradients of all activations
come before the first gradient of a weight, so that each of them lives to the end of backward.
Here a step that makes little of much, such as a weight's gradient, a sum or an update, runs as
soon as it can; the others keep the graph's order.
"""

from __future__ import annotations

import heapq

from ..ir import Node

__all__ = ["first_leaf", "order_steps", "update_order"]

LITTLE = 8      # a step may run early if it takes an eighth of what it reads


def update_order(steps: list, outputs: list[Node], donated: set[Node]) -> dict[int, set[int]]:
    """{step: steps that must come before it} so that updates can write in place.

    An output that is an update of a donated input (x - step, for instance) can take its memory if
    no other step reads that input later.
    """
    writer = {node: i for i, step in enumerate(steps) for node in step.results}
    readers: dict[Node, set[int]] = {leaf: set() for leaf in donated}
    for i, step in enumerate(steps):
        for leaf in step.reads & donated:
            readers[leaf].add(i)
    before: dict[int, set[int]] = {}
    for output in outputs:
        leaf = first_leaf(output)
        if leaf in donated and output in writer:
            others = readers[leaf] - {writer[output]}
            if others:
                before.setdefault(writer[output], set()).update(others)
    return before


def first_leaf(node: Node) -> Node:
    """The input that an update changes: the leftmost in its expression."""
    while node.primitive.kind == "pointwise" or node.op in ("reshape", "permute"):
        node = node.inputs[0]
    return node


class _Order:
    """The state of one ordering."""

    def __init__(self, steps, sizes, before):
        self.steps, self.sizes = steps, sizes
        writer = {node: i for i, step in enumerate(steps) for node in step.results}
        self.readers: dict[Node, set[int]] = {}        # of each value, those yet to run
        self.needs: list[set[int]] = []                # of each step, those yet to run
        for i, step in enumerate(steps):
            self.needs.append({writer[n] for n in step.reads if n in writer} - {i})
            for node in step.reads:
                self.readers.setdefault(node, set()).add(i)
        self.users: list[list[int]] = [[] for _ in steps]
        for i, found in enumerate(self.needs):
            for other in found:
                self.users[other].append(i)
        for i in sorted(before):
            for other in sorted(before[i]):
                self._add_wish(i, other)
        self.ready = [i for i, found in enumerate(self.needs) if not found]
        self.early: list[int] = []
        self.done = [False] * len(steps)

    def _add_wish(self, i, other):
        """Runs `other` before `i`, unless it needs `i`."""
        stack, seen = [i], {i}
        while stack:
            for user in self.users[stack.pop()]:
                if user == other:
                    return
                if user not in seen:
                    seen.add(user)
                    stack.append(user)
        if other not in self.needs[i]:
            self.needs[i].add(other)
            self.users[other].append(i)

    def run(self):
        result = []
        for i in self.ready:
            self._consider(i)
        while self.early or self.ready:
            i = heapq.heappop(self.early or self.ready)
            if self.done[i]:
                continue
            self.done[i] = True
            result.append(self.steps[i])
            for node in self.steps[i].reads:
                left = self.readers[node]
                left.discard(i)
                if len(left) == 1:
                    last, = left
                    if not self.needs[last]:
                        self._consider(last)
            for user in self.users[i]:
                self.needs[user].discard(i)
                if not self.needs[user]:
                    heapq.heappush(self.ready, user)
                    self._consider(user)
        assert len(result) == len(self.steps), "steps need each other"
        return result

    def _consider(self, i):
        """Marks a step that is ready as one to run early, if it makes little of much."""
        step, sizes = self.steps[i], self.sizes
        freed = sum(sizes.get(n, 0) for n in step.reads if len(self.readers[n]) == 1)
        read = sum(sizes.get(n, 0) for n in step.reads)
        taken = sum(sizes.get(n, 0) for n in step.results if not self._passes(n, i))
        if taken <= max(freed, read // LITTLE):
            heapq.heappush(self.early, i)

    def _passes(self, node, writer):
        """Whether all that read a value can run at once behind its writer, and keep nothing."""
        readers = self.readers.get(node)
        return bool(readers) and all(
            self.needs[r] <= {writer} and not any(n in self.sizes for n in self.steps[r].results)
            for r in readers)


def order_steps(steps: list, sizes: dict[Node, int], before: dict[int, set[int]]) -> list:
    """`steps` in an order in which they can run.

    `sizes` are the bytes that values take in the arena; what lives elsewhere is absent. `before`
    gives steps, by number, that should come before a step.
    """
    return _Order(steps, sizes, before).run()
