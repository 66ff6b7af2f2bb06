"""One contract for every module: what each test in this folder runs a module through."""
import copy
import pickle

import numpy as np

import flambeau as torch


def check_module(make, *shapes, dtype=torch.float64, indices=None, differentiable=True):
    """Construct, run, save and load, copy, pickle, print, and differentiate a module.

    Args:
        make: builds the module; it is called with the random stream at the same place each time.
        shapes: shapes of the floating-point inputs.
        indices: an integer array that follows them, if the module takes one.
    """
    torch.manual_seed(0)
    module = make().to(dtype)
    rng = np.random.default_rng(0)
    inputs = [torch.tensor(rng.standard_normal(shape), dtype=dtype) for shape in shapes]
    extra = [] if indices is None else [torch.tensor(indices)]
    state = {key: value.clone() for key, value in module.state_dict().items()}

    def run(other):
        torch.manual_seed(1)
        return _flat(other(*inputs, *extra))

    outputs = run(module)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), make().to(dtype)):
        result = twin.load_state_dict(state)
        assert str(result) == "<All keys matched successfully>"
        assert repr(twin) == repr(module)
        module.load_state_dict(state)
        for a, b in zip(run(twin), run(module)):
            np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    assert list(state) == list(module.state_dict())
    if differentiable:
        module.load_state_dict(state)
        check_gradients(lambda: run(module), [*inputs, *module.parameters()])
    return outputs


def check_gradients(run, tensors, step=1e-5, tolerance=2e-5, samples=4):
    """Compare gradients of a random projection of all outputs with central differences."""
    tensors = [tensor for tensor in tensors if tensor.is_floating_point()]
    for tensor in tensors:
        tensor.requires_grad_()
        tensor.grad = None
    weights = [
        torch.tensor(np.random.default_rng(i).standard_normal(tuple(out.shape)), dtype=out.dtype)
        for i, out in enumerate(run())
    ]

    def project():
        return sum((out * w).sum() for out, w in zip(run(), weights) if out.is_floating_point())

    project().backward()
    rng = np.random.default_rng(3)
    for number, tensor in enumerate(tensors):
        if tensor.grad is None:
            continue
        for flat in rng.choice(tensor.numel(), min(samples, tensor.numel()), replace=False):
            place = np.unravel_index(flat, tuple(tensor.shape)) if tensor.dim() else ()
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    tensor[place] += sign * step
                    values.append(float(project()))
                    tensor[place] -= sign * step
            slope = (values[0] - values[1]) / (2 * step)
            got = float(tensor.grad[place])
            assert abs(got - slope) <= tolerance * max(1.0, abs(slope)), (number, place, got, slope)


def _flat(value):
    if isinstance(value, (tuple, list)):
        return [part for each in value for part in _flat(each)]
    return [] if value is None else [value]
