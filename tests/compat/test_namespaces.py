"""The small namespaces that programs probe: devices, backends, amp, jit, profiler, testing."""

import warnings

import numpy as np
import pytest

import flambeau as torch


def test_cuda_is_absent_and_says_so():
    assert torch.cuda.is_available() is False and torch.cuda.device_count() == 0
    assert torch.device("cuda" if torch.cuda.is_available() else "cpu").type == "cpu"
    torch.cuda.manual_seed(0)
    torch.cuda.manual_seed_all(0)
    torch.cuda.empty_cache()
    assert torch.cuda.max_memory_allocated() == 0
    for needed in (torch.cuda.synchronize, torch.cuda.current_device, torch.cuda.get_device_name):
        with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
            needed()
    with pytest.raises(TypeError, match="type torch.cuda.FloatTensor not available"):
        torch.cuda.FloatTensor(3)
    assert not isinstance(torch.ones(1), torch.cuda.FloatTensor)
    with pytest.raises(RuntimeError, match="Event"):
        torch.cuda.Event(enable_timing=True)


def test_other_devices_are_absent():
    assert not torch.accelerator.is_available() and torch.accelerator.current_accelerator() is None
    assert not torch.backends.mps.is_available() and not torch.mps.is_available()
    assert not torch.xpu.is_available() and not torch.distributed.is_available()
    assert torch.version.cuda is None
    with pytest.raises(RuntimeError, match="Cannot access accelerator device"):
        torch.accelerator.synchronize()
    with pytest.raises(RuntimeError, match="without MPS backend"):
        torch.mps.synchronize()
    with pytest.raises(RuntimeError, match="not available in Flambeau"):
        torch.distributed.init_process_group("gloo")
    with pytest.raises(AttributeError, match="torch.distributed.rpc is not available"):
        _ = torch.distributed.rpc


def test_flags_of_backends():
    cudnn = torch.backends.cudnn
    with cudnn.flags(benchmark=True):
        assert cudnn.benchmark is True
    assert cudnn.benchmark is False
    with pytest.raises(TypeError, match="unexpected keyword argument 'speed'"):
        with cudnn.flags(speed=True):
            pass
    torch.backends.cuda.matmul.allow_tf32 = True
    assert torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    with pytest.raises(AttributeError, match="Unknown attribute"):
        torch.backends.cuda.matmul.allow_everything = True


def test_autocast_on_the_cpu():
    a, layer = torch.randn(4, 3), torch.nn.Linear(3, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.is_autocast_enabled("cpu")
        out = layer(a)
        assert out.dtype is torch.bfloat16
        assert torch.cat([out, a[:, :2]]).dtype is torch.float32
        loss = torch.nn.functional.mse_loss(out, torch.zeros(4, 2))
        assert loss.dtype is torch.float32
        with torch.autocast("cpu", enabled=False):
            assert (a @ a.T).dtype is torch.float32
        assert (a @ a.T).dtype is torch.bfloat16
        assert (a.double() @ a.T.double()).dtype is torch.float64
    assert not torch.is_autocast_enabled("cpu")
    assert (a @ a.T).dtype is torch.float32
    loss.backward()
    assert layer.weight.grad.dtype is torch.float32

    @torch.autocast("cpu")
    def decorated():
        return a @ a.T
    assert decorated().dtype is torch.bfloat16
    with pytest.warns(UserWarning, match="CUDA is not available"):
        with torch.autocast("cuda"):
            assert (a @ a.T).dtype is torch.float32
    with pytest.raises(RuntimeError, match="unsupported autocast device_type 'foo'"):
        torch.autocast("foo")


def test_grad_scaler():
    with pytest.warns(UserWarning, match="GradScaler is enabled, but CUDA is not available"):
        off = torch.amp.GradScaler()
    assert off.scale(2.0) == 2.0 and not off.is_enabled() and off.state_dict() == {}
    with pytest.warns(FutureWarning, match="torch.amp.GradScaler"):
        torch.cuda.amp.GradScaler(enabled=False)
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1)
    scaler.scale(w.sum()).backward()
    assert w.grad.tolist() == [4.0, 4.0]
    scaler.step(optimizer)
    scaler.update()
    assert w.tolist() == [0.5, 0.5] and scaler.get_scale() == 8.0
    w.grad = torch.tensor([float("inf"), 1.0])
    scaler.step(optimizer)
    scaler.update()
    assert w.tolist() == [0.5, 0.5] and scaler.get_scale() == 4.0
    with pytest.raises(AssertionError, match="No inf checks"):
        scaler.update()


def test_jit_returns_what_it_is_given():
    def double(x):
        return 2 * x

    assert torch.jit.script(double) is double
    assert torch.jit.trace(double, torch.ones(1)) is double
    assert torch.jit.ignore(double) is double and torch.jit.export(double) is double
    assert not torch.jit.is_scripting()
    for refused in (torch.jit.load, lambda f: torch.jit.save(None, f), torch.onnx.export):
        with pytest.raises(NotImplementedError, match="not supported"):
            refused("file")
    assert torch.compile(double) is double and torch.compiler.is_compiling() is False
    assert torch.compiler.disable(double) is double


def test_checkpoint_gives_the_same_gradients():
    from flambeau.utils.checkpoint import checkpoint, checkpoint_sequential
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    x = torch.randn(5, 3, requires_grad=True)
    gradients = []
    for forward in (model, lambda v: checkpoint(model, v, use_reentrant=False),
                    lambda v: checkpoint_sequential(model, 2, v, use_reentrant=False)):
        x.grad = None
        forward(x).sum().backward()
        gradients.append(x.grad.numpy())
    for other in gradients[1:]:
        np.testing.assert_allclose(other, gradients[0], rtol=1e-4, atol=1e-6)


def test_assert_close():
    close = torch.testing.assert_close
    close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0 + 1e-6]))
    close({"a": [1.0, 2]}, {"a": [1.0, 2]})
    close(np.ones(3), np.ones(3))
    close(torch.tensor(float("nan")), torch.tensor(float("nan")), equal_nan=True)
    for actual, expected, text in (
            (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.1]),
             r"Tensor-likes are not close!\n\nMismatched elements: 1 / 2 \(50.0%\)"),
            (torch.tensor([1]), torch.tensor([3]), "Tensor-likes are not equal!"),
            (1.0, 2.0, "Scalars are not close!"),
            (torch.ones(1), torch.ones(2), r"'shape' do not match: torch.Size\(\[1\]\)"),
            (torch.ones(1), torch.ones(1).double(), "'dtype' do not match: torch.float32"),
            ([torch.ones(1)], [torch.zeros(1)], r"The failure occurred for item \[0\]"),
            ({"a": 1}, {"b": 1}, "keys of the mappings do not match"),
            (torch.tensor(float("nan")), torch.tensor(float("nan")), "not close")):
        with pytest.raises(AssertionError, match=text):
            close(actual, expected)
    with pytest.raises(ValueError, match="must be either specified or omitted"):
        close(1.0, 1.0, rtol=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.testing.assert_allclose(torch.ones(1), torch.ones(1).double())


def test_multiprocessing_names():
    mp = torch.multiprocessing
    assert mp.get_start_method() in ("fork", "spawn", "forkserver")
    mp.set_sharing_strategy("file_system")
    assert mp.get_sharing_strategy() == "file_system"
    with pytest.raises(AssertionError, match="unknown sharing strategy"):
        mp.set_sharing_strategy("carrier pigeon")


def test_trees():
    from collections import OrderedDict, namedtuple

    from flambeau.utils import _pytree
    Pair = namedtuple("Pair", "a b")
    tree = {"x": [1, (2, 3)], "y": OrderedDict(z=Pair(4, None))}
    leaves, spec = _pytree.tree_flatten(tree)
    assert leaves == [1, 2, 3, 4, None]
    assert _pytree.tree_unflatten(leaves, spec) == tree
    assert _pytree.tree_map(lambda a, b: (a, b), [1, 2], [3, 4]) == [(1, 3), (2, 4)]
    assert _pytree.tree_map_only(int, lambda x: x + 1, tree)["y"]["z"] == Pair(5, None)
    assert spec == _pytree.tree_structure(tree) and spec != _pytree.tree_structure([1])
    with pytest.raises(ValueError, match="`leaves` has length 1 but"):
        _pytree.tree_unflatten([1], spec)


def test_timer():
    from flambeau.utils.benchmark import Timer
    measured = Timer("x * 2", globals={"x": torch.ones(4)}).blocked_autorange(min_run_time=0.01)
    assert 0 < measured.median < 1 and "Median" in repr(measured)
