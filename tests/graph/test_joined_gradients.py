"""Gradients of loops over slices and over shared weights become joined nodes, not long sums."""
import numpy as np

import flambeau as torch
from flambeau import dtypes
from flambeau.graph.differentiate import gradients
from flambeau.graph.ir import p, topological_order
from flambeau.graph.primitives.movement import slice_dim


def _input(*shape):
    node = p.input(index=0, shape=shape, dtype=dtypes.float32)
    node.requires_grad = True
    return node


def _count(node, op):
    return sum(n.op == op for n in topological_order([node]))


def test_slices_of_a_loop_give_one_concatenation():
    x = _input(6, 3)
    total = None
    for t in range(6):
        row = p.reshape(slice_dim(x, 0, t, t + 1), shape=(3,))
        total = p.mul(row, row) if total is None else p.add(total, p.mul(row, row))
    cotangent = p.input(index=1, shape=(3,), dtype=dtypes.float32)
    (found,) = gradients([total], [cotangent], [x])
    assert found.op == "concatenate" and len(found.inputs) == 6
    assert _count(found, "pad") == 0


def test_a_weight_shared_by_steps_gets_one_product():
    w = _input(5, 5)
    h = p.input(index=1, shape=(2, 5), dtype=dtypes.float32)
    for _ in range(4):
        h = p.contract(h, w, batch_a=(), batch_b=(), contract_a=(1,), contract_b=(1,))
    cotangent = p.input(index=2, shape=(2, 5), dtype=dtypes.float32)
    (found,) = gradients([h], [cotangent], [w])
    assert found.op == "permute" and found.inputs[0].op == "contract"
    assert [i.shape for i in found.inputs[0].inputs] == [(8, 5), (8, 5)]


def test_values_over_loops_with_gaps_and_overlaps():
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.standard_normal((7, 4)), requires_grad=True)
    w = torch.tensor(rng.standard_normal((4, 4)), requires_grad=True)
    total = sum((x[t] @ w * (t + 1)).sum() for t in (0, 1, 2, 4, 5))
    total = total + (x[1:3] * 2).sum() + x[6].sum()
    total.backward()
    factors = np.array([1, 2, 3, 0, 5, 6, 0.0])
    expected = factors[:, None] * w.detach().numpy().sum(1)
    expected[1:3] += 2
    expected[6] += 1
    np.testing.assert_allclose(x.grad.numpy(), expected)
    rows = (factors[:, None] * x.detach().numpy()).sum(0)
    np.testing.assert_allclose(w.grad.numpy(), np.repeat(rows[:, None], 4, 1))


def test_sums_of_many_operands_run():
    tensors = [torch.full((5,), float(i), requires_grad=True) for i in range(70)]
    total = sum(tensors[1:], tensors[0])
    (total * total).sum().backward()
    assert float(total[0]) == sum(range(70))
    assert float(tensors[3].grad[0]) == 2 * sum(range(70))


def test_gradient_of_a_vector_used_as_matrix_and_vector():
    """Two products of the same shape, of a matrix and a vector in turn, cannot be joined."""
    for shape in ((1, 1), (2, 3)):
        x = torch.linspace(0.5, 1.5, shape[0] * shape[1], dtype=torch.float64).reshape(shape)
        x.requires_grad_()
        assert torch.autograd.gradgradcheck(lambda x: torch.mv(x, x.mean(0)) ** 2, (x,))
