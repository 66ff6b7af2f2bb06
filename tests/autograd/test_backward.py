"""Backward passes: accumulation, retained graphs, hooks, functions, modes, errors."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import Function, gradcheck, gradgradcheck


def leaf(*values, dtype=torch.float32):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


def test_gradients_accumulate_and_the_tensor_stays_the_same():
    x = leaf(1., 2.)
    (x * x).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert x.grad is first and first.tolist() == [4, 8]
    x.grad.zero_()
    assert first.tolist() == [0, 0]


def test_gradient_argument_and_shape_checks():
    x = leaf(1., 2.)
    (x * 3).backward(torch.tensor([1., 10.]))
    assert x.grad.tolist() == [3, 30]
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar"):
        (x * 3).backward()
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (x * 3).backward(torch.ones(3))
    with pytest.raises(RuntimeError, match="element 0 of tensors does not require grad"):
        torch.ones(1).backward()


def test_a_second_backward_needs_retain_graph():
    for run in (False, True):            # in one program, and across a barrier
        x = leaf(1., 2.)
        y = (x * x).sum()
        if run:
            y.item()
        y.backward(retain_graph=True)
        y.backward()
        assert x.grad.tolist() == [4, 8]
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            y.backward()


def test_freed_graphs_are_noticed_after_running():
    x = leaf(1., 2.)
    h = x.exp()
    y = (h * h).sum()
    y.backward()
    assert y.item() > 0
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        h.sum().backward()


def test_linear_parts_may_be_passed_twice():
    x = leaf(1., 2.)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2, 2]


def test_backward_reaches_through_earlier_executions():
    x, w = leaf(1., 2.), leaf(3., 4.)
    h = x * w
    assert h.tolist() == [3, 8]
    k = h.exp()
    assert k.shape == (2,) and k.sum().item() > 0
    (k * w).sum().backward()
    e = np.exp([3., 8.])
    np.testing.assert_allclose(x.grad.numpy(), e * [9, 16], rtol=1e-6)
    np.testing.assert_allclose(w.grad.numpy(), e * [3, 8] + e, rtol=1e-6)


def test_two_executions_of_one_program_are_kept_apart():
    x = leaf(2.)
    outs = []
    for factor in (3., 5.):
        h = x * factor
        h.item()
        outs.append(h.exp() if factor == 3. else h * h)
        outs[-1].item()
    (outs[0] + outs[1]).sum().backward()
    np.testing.assert_allclose(x.grad.item(), 3 * np.exp(6) + 2 * 25 * 2, rtol=1e-6)


def test_grad_of_intermediate_values_and_unused_inputs():
    x, other = leaf(1., 2.), leaf(1.)
    h = x * 2
    y = (h ** 2).sum()
    gh, gx = torch.autograd.grad(y, [h, x], retain_graph=True)
    assert gh.tolist() == [4, 8] and gx.tolist() == [8, 16] and x.grad is None
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        torch.autograd.grad(y, other, retain_graph=True)
    assert torch.autograd.grad(y, other, retain_graph=True, allow_unused=True) == (None,)
    zeros = torch.autograd.grad(y, other, allow_unused=True, materialize_grads=True)
    assert zeros[0].tolist() == [0]


def test_inputs_argument_limits_accumulation():
    x, w = leaf(1., 2.), leaf(3., 4.)
    (x * w).sum().backward(inputs=[x])
    assert x.grad.tolist() == [3, 4] and w.grad is None


@pytest.mark.parametrize("run", [False, True])
def test_double_backward(run):
    x = leaf(1., 2., dtype=torch.float64)
    y = (x ** 3).sum()
    if run:
        y.item()
    g, = torch.autograd.grad(y, x, create_graph=True)
    if run:
        g.tolist()
    (g * g).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 36 * np.array([1., 8.]))


def test_gradient_penalty_trains():
    w = leaf(1., -2., dtype=torch.float64)
    x = leaf(3., 4., dtype=torch.float64)
    out = (torch.tanh(w * x)).sum()
    g, = torch.autograd.grad(out, x, create_graph=True)
    (g.norm() - 1).pow(2).backward()
    assert w.grad is not None and torch.isfinite(w.grad).all()


def test_modes():
    x = leaf(1.)
    with torch.no_grad():
        assert not (x * 2).requires_grad
        with torch.enable_grad():
            assert (x * 2).requires_grad
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    with torch.inference_mode():
        assert torch.is_inference_mode_enabled() and not (x * 2).requires_grad

    @torch.no_grad()
    def f():
        return x * 2

    @torch.no_grad
    def g():
        return x * 2

    assert not f().requires_grad and not g().requires_grad

    @torch.no_grad()
    def numbers():
        yield (x * 2).requires_grad

    assert list(numbers()) == [False] and torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)


def test_detach_cuts_and_shares_memory():
    x = leaf(1., 2.)
    d = x.detach()
    assert not d.requires_grad
    (d * 2 + x).sum().backward()
    assert x.grad.tolist() == [1, 1]
    d[0] = 9
    assert x.tolist() == [9, 2]
    x.data.add_(1)
    assert x.tolist() == [10, 3] and d.tolist() == [10, 3]


def test_requires_grad_of_a_pending_value():
    x = (torch.ones(2) * 3).requires_grad_()
    assert x.is_leaf
    (x * x).sum().backward()
    assert x.grad.tolist() == [6, 6]
    with pytest.raises(RuntimeError, match="leaf variables"):
        (x * 2).requires_grad_(False)
    with pytest.raises(RuntimeError, match="floating point"):
        torch.ones(2, dtype=torch.int64).requires_grad_()


def test_in_place_on_leaf_needs_no_grad():
    x = leaf(1., 2.)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0] = 1
    with torch.no_grad():
        x.add_(1)
        x[0] = 7
    assert x.tolist() == [7, 3] and x.requires_grad and x.is_leaf
    (x * x).sum().backward()
    assert x.grad.tolist() == [14, 6]


def test_in_place_on_computed_values_differentiates():
    x = leaf(1., 2., 3.)
    y = x * 2
    y[1] = 5
    y.mul_(3)
    y.sum().backward()
    assert x.grad.tolist() == [6, 0, 6]


def test_writes_through_views_differentiate():
    x = leaf(1., 2., 3., 4.)
    y = x * 1
    v = y.view(2, 2)[0]
    v.mul_(10)
    (y * torch.arange(1., 5.)).sum().backward()
    assert x.grad.tolist() == [10, 20, 3, 4]


@pytest.mark.parametrize("run", [False, True])
def test_overwriting_a_needed_value_raises_with_both_lines(run):
    x = leaf(1., 2.)
    y = x.exp()
    z = y * y
    if run:
        pass
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation.*test_backward.py"):
        z.sum().backward()


def test_overwriting_an_unneeded_value_is_fine():
    x = leaf(1., 2.)
    y = x + 1
    y.mul_(2)
    y.relu_()
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_hooks_replace_gradients_and_can_be_removed():
    x = leaf(1., 2.)
    seen = []
    handle = x.register_hook(lambda g: seen.append(g.tolist()))
    h = x * 2
    h.register_hook(lambda g: g * 10)
    (h * 3).sum().backward()
    assert seen == [[60, 60]] and x.grad.tolist() == [60, 60]
    handle.remove()
    (x * 1).sum().backward()
    assert len(seen) == 1


def test_a_hook_sees_the_whole_gradient_once():
    x = leaf(1.)
    h = x * 2
    seen = []
    h.register_hook(lambda g: seen.append(g.item()))
    (h * 3 + h.exp() * 0 + h * 4).sum().backward()
    assert seen == [7]
    assert x.grad.item() == 14


def test_hooks_on_both_sides_of_a_barrier():
    x = leaf(1.)
    a = x * 2
    order = []
    a.register_hook(lambda g: order.append(("a", g.item())))
    a.item()
    b = a * 3
    b.register_hook(lambda g: order.append(("b", g.item())))
    (b * 5).sum().backward()
    assert order == [("b", 5), ("a", 15)] and x.grad.item() == 30


def test_retain_grad():
    x = leaf(1., 2.)
    h = x * 2
    h.retain_grad()
    (h * h).sum().backward()
    assert h.grad.tolist() == [4, 8]
    plain = x * 2
    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert plain.grad is None


def test_post_accumulate_hook():
    x = leaf(1.)
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.item()))
    (x * 3).sum().backward()
    assert seen == [3]


class Clip(Function):
    @staticmethod
    def forward(ctx, x, limit):
        ctx.save_for_backward(x)
        ctx.limit = limit
        return x.clamp(-limit, limit), x.abs().max()

    @staticmethod
    def backward(ctx, gradient, unused):
        x, = ctx.saved_tensors
        return gradient * (x.abs() <= ctx.limit) + unused, None


@pytest.mark.parametrize("run", [False, True])
def test_functions_of_the_user(run):
    x = leaf(1., 5.)
    h = x * 2
    y, m = Clip.apply(h, 4)
    if run:
        y.tolist()
    (y * 3).sum().backward()
    assert x.grad.tolist() == [6, 0]
    assert y.grad_fn is not None


def test_function_errors():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    x = leaf(1.)
    with pytest.raises(RuntimeError, match="incorrect number of gradients .expected 2, got 1"):
        Wrong.apply(x, x).sum().backward()
    with pytest.warns(DeprecationWarning, match="should not be instantiated"):
        wrong = Wrong()
    with pytest.raises(RuntimeError, match="Legacy autograd function"):
        wrong(x, x)


def test_function_with_setup_context_and_non_differentiable():
    class Sort(Function):
        @staticmethod
        def forward(x):
            return torch.sort(x)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.mark_non_differentiable(output[1])
            ctx.save_for_backward(output[1])

        @staticmethod
        def backward(ctx, gradient, _):
            index, = ctx.saved_tensors
            return torch.zeros_like(gradient).scatter(0, index, gradient)

    x = leaf(3., 1., 2.)
    values, index = Sort.apply(x)
    assert not index.requires_grad
    (values * torch.tensor([1., 10., 100.])).sum().backward()
    assert x.grad.tolist() == [100, 1, 10]


def test_gradcheck_finds_wrong_gradients():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            return gradient * 3

    x = leaf(1., 2., dtype=torch.float64)
    assert gradcheck(lambda x: (x.sin() * x).sum(), x)
    assert gradgradcheck(lambda x: torch.log_softmax(x, 0).tanh(), x)
    with pytest.raises(RuntimeError, match="Jacobian mismatch for output 0 with respect to"):
        gradcheck(Wrong.apply, x)
    assert not gradcheck(Wrong.apply, x, raise_exception=False)


def test_anomaly_detection_names_the_line():
    x = leaf(1., 0.)
    with torch.autograd.detect_anomaly():
        y = torch.sqrt(x * 2) * 0
        with pytest.raises(RuntimeError, match="returned nan values.*test_backward.py"):
            (y / y.detach()).sum().backward()


def test_jacobian_and_hessian():
    x = torch.tensor([1., 2.], dtype=torch.float64)
    j = torch.autograd.functional.jacobian(lambda x: x ** 2, x)
    assert j.tolist() == [[2, 0], [0, 4]]
    h = torch.autograd.functional.hessian(lambda x: (x ** 3).sum(), x)
    assert h.tolist() == [[6, 0], [0, 12]]


def test_grad_fn_names():
    x = leaf(1.)
    y = x * 2
    assert y.grad_fn.name() == "MulBackward0" and x.grad_fn is None
    assert "MulBackward0" in repr(y)
    inner = y.grad_fn.next_functions[0][0]
    assert inner.name() == "AccumulateGrad"


def test_memory_of_a_graph_goes_with_its_results():
    import gc
    import weakref
    x = torch.ones(1000, requires_grad=True)
    y = x.exp()
    y.sum().item()
    held = weakref.ref(y._value.history[0])
    del y
    gc.collect()
    assert held() is None


def test_unsupported_arguments_of_derivatives_raise():
    x = torch.ones(2)
    functional = torch.autograd.functional
    with pytest.raises(NotImplementedError, match="strict=True"):
        functional.jacobian(torch.exp, x, strict=True)
    with pytest.raises(NotImplementedError, match="forward-mode"):
        functional.hessian(lambda x: x.sum(), x, outer_jacobian_strategy="forward-mode")
    with pytest.raises(NotImplementedError, match="masked=True"):
        gradcheck(torch.exp, leaf(1., dtype=torch.float64), masked=True)


def test_frombuffer_shares_memory():
    memory = bytearray(8)
    x = torch.frombuffer(memory, dtype=torch.int32)
    x[1] = 5
    assert memory[4] == 5
    memory[0] = 3
    assert x.tolist() == [3, 5]


def test_writes_without_gradients_leave_the_gradient_as_it_was():
    def under_no_grad(y):
        with torch.no_grad():
            y.mul_(5)

    def a_row(y):
        with torch.no_grad():
            y[0] = 7.0

    for write in (under_no_grad, a_row, lambda y: y.data.mul_(5), lambda y: y.detach().add_(1)):
        for run_before in (False, True):
            x = torch.tensor([1.0, 2.0], requires_grad=True)
            y = 3 * x
            if run_before:
                y.tolist()
            write(y)
            assert y.requires_grad
            (2 * y).sum().backward()
            assert x.grad.tolist() == [6.0, 6.0]
