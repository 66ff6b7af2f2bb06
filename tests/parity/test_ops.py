"""Operations and their gradients against PyTorch, on the samples of tests/ops."""

import os
import sys
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(__file__))))

import flambeau
from flambeau.ops.declare import DECLARED
from tests.ops.harness import Run, numbers, tier, weighted
from tests.ops.samples import SAMPLES, seed_of

# What PyTorch calls operations that are declared under another name, or how it is called there.
EQUIVALENTS = {
    "_private._fill": torch.fill, "_private._tensordot": lambda a, b, i, j: torch.tensordot(
        a, b, (i, j)), "_private._einsum": torch.einsum, "_private._scatter": lambda x, d, i, s, *r:
    torch.scatter(x, d, i, s, reduce=r[0]) if r else torch.scatter(x, d, i, s),
    "_private._masked_scatter": torch.masked_scatter, "_private._pow_static": torch.pow,
    "_private.to_dtype": torch.Tensor.to,
    "_private._max_dim": torch.max, "_private._min_dim": torch.min,
    "_private._median_dim": torch.median, "_private._median_all": torch.median,
    "_private._nanmedian_dim": torch.nanmedian, "_private._nanmedian_all": torch.nanmedian,
    "_private._norm": lambda x, p, d=None, k=False: torch.linalg.vector_norm(x, p, d, k),
    "_private._repeat_interleave": torch.repeat_interleave,
    "_private._constant_pad": torch.constant_pad_nd,
    "_private._meshgrid": lambda t, indexing: torch.meshgrid(*t, indexing=indexing),
    "_private.view": torch.Tensor.view, "_private.mT": lambda x: x.mT,
    "_private.unfold": torch.Tensor.unfold, "_private.alias": lambda x: x.view_as(x),
    "_private.data": lambda x: x.data,
    "_private._block_diag": lambda t: torch.block_diag(*t),
    "_private._cartesian_prod": lambda t: torch.cartesian_prod(*t),
    "_private._vander": lambda x, n, increasing: torch.vander(x, n, increasing),
    "_private._gradient": lambda x, s, d, e: torch.gradient(
        x, spacing=[float(i) if i.ndim == 0 else i for i in s], dim=d, edge_order=e),
    "_private._stft": lambda x, n, hop, width, window, normalized, onesided: torch.stft(
        x, n, hop, width, window, False, "reflect", normalized, onesided, True),
    "_private._istft": torch.istft, "_private._polygamma": lambda x, n: torch.polygamma(n, x),
    "_private._mvlgamma": torch.mvlgamma, "_private._frexp": torch.frexp,
    "linalg._pinv": torch.linalg.pinv, "linalg._logdet": torch.logdet,
    "linalg._lstsq": lambda a, b: torch.linalg.lstsq(a, b).solution,
    "linalg._condition": torch.linalg.cond,
    "linalg._rank": lambda a, *rest: torch.linalg.matrix_rank(a),
    "linalg._lu_solve": lambda lu, p, b, left=True, adjoint=False: torch.linalg.lu_solve(
        lu, p, b, left=left, adjoint=adjoint),
    "_nn.embedding": lambda w, i, pad, scale: torch.nn.functional.embedding(
        i, w, None if pad < 0 else pad, scale_grad_by_freq=scale),
    "_nn.one_hot": torch.nn.functional.one_hot,
    "_nn.scaled_dot_product_attention": lambda q, k, v, m, d, causal, scale, g:
    torch.nn.functional.scaled_dot_product_attention(q, k, v, m, 0.0, causal, scale=scale),
    "nn.functional.binary_cross_entropy_with_logits": lambda x, y, w=None, r="mean", pos=None:
    torch.nn.functional.binary_cross_entropy_with_logits(x, y, w, reduction=r, pos_weight=pos),
    "nn.functional.kl_div": lambda x, y, r="mean", log=False: torch.nn.functional.kl_div(
        x, y, reduction=r, log_target=log),
    "nn.functional.nll_loss": lambda x, y, w=None, i=-100, r="mean":
    torch.nn.functional.nll_loss(x, y, w, ignore_index=i, reduction=r),
    "nn.functional.cross_entropy": lambda x, y, w=None, i=-100, r="mean", s=0.0:
    torch.nn.functional.cross_entropy(x, y, w, ignore_index=i, reduction=r, label_smoothing=s),
    "nn.functional.gelu": lambda x, a="none": torch.nn.functional.gelu(x, approximate=a),
    "nn.functional.poisson_nll_loss": lambda x, y, log, full, eps, reduction:
    torch.nn.functional.poisson_nll_loss(x, y, log, full, None, eps, None, reduction),
    "nn.functional.binary_cross_entropy": lambda x, y, w=None, r="mean":
    torch.nn.functional.binary_cross_entropy(x, y, w, reduction=r),
}
# Results that are defined up to a sign, order or phase, and operations that PyTorch does not have
# as one function (the modules that use these are compared in test_modules.py).
FREE = {"nn.functional.gumbel_softmax_soft", "linalg.eig", "linalg.eigvals", "linalg.eigh",
        "linalg.svd", "geqrf", "linalg.qr"}

# PyTorch has no gradients for these, or none for an argument that the samples make a leaf.
UNDIFFERENTIABLE = {
    "floor_divide", "heaviside", "linalg.inv_ex", "nn.functional.binary_cross_entropy",
    "nn.functional.binary_cross_entropy_with_logits",
    "nn.functional.cross_entropy", "nn.functional.nll_loss", "_private._scatter",
    "special.spherical_bessel_j0", "linalg._lu_solve", "_private._gradient",
    "_private._vander", "linalg._condition",
    # PyTorch's gradient of the base ignores where the window lies
    "as_strided_scatter"}


def reference(key: str):
    if key in EQUIVALENTS:
        return EQUIVALENTS[key]
    if key.startswith(("_private.", "_nn.")):
        return None
    found = torch
    for part in key.split("."):
        found = getattr(found, part, None)
        if found is None:
            return getattr(torch.Tensor, key, None)
    return found


KEYS = [k for k in sorted(DECLARED) if k not in FREE and reference(k) is not None]


def as_torch(x):
    if isinstance(x, flambeau.Tensor):
        made = torch.from_numpy(numbers(x))
        return made.requires_grad_() if x.requires_grad else made
    if isinstance(x, flambeau.dtypes.dtype):
        return getattr(torch, x.name)
    return [as_torch(i) for i in x] if isinstance(x, list) else x


def listed(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


@pytest.mark.parametrize("key", KEYS)
def test_forward_and_gradient(key):
    function = reference(key)
    with warnings.catch_warnings(), tier(False):
        warnings.simplefilter("ignore")
        for call in SAMPLES[key]:
            ours = Run(key, call, grad=call.smooth and key not in UNDIFFERENTIABLE)
            args, options = as_torch(ours.args), {k: as_torch(v) for k, v in ours.options.items()}
            leaves: list = []
            gather(args + list(options.values()), leaves)
            theirs = listed(function(*args, **options))
            assert len(theirs) == len(ours.results), f"{key}({call})"
            for a, b in zip(ours.results, theirs):
                same(key, call, a, b)
            compare_gradients(key, call, ours, theirs, leaves)


def gather(x, leaves):
    for i in x:
        if isinstance(i, list):
            gather(i, leaves)
        elif isinstance(i, torch.Tensor) and i.requires_grad:
            leaves.append(i)


def same(key, call, a, b):
    assert str(a.dtype) == str(b.dtype), f"{key}({call}): {a.dtype}, PyTorch gives {b.dtype}"
    found, expected = numbers(a), b.detach().resolve_conj().resolve_neg().numpy()
    rtol, atol = (1e-4, 1e-5) if b.dtype in (torch.float32, torch.complex64) else (1e-7, 1e-9)
    if "bessel_" in key:      # PyTorch's asymptotic series are good to 7 digits
        rtol = 1e-4
    np.testing.assert_allclose(found, expected, rtol, atol, err_msg=f"{key}({call})")


def compare_gradients(key, call, ours, theirs, leaves):
    total = weighted(ours.results, seed_of(key))
    assert (total is None) == (not any(t.requires_grad for t in theirs)), f"{key}({call})"
    if total is None or not call.smooth:
        return
    rng = np.random.default_rng(seed_of(key))
    expected = None
    for t in theirs:
        if not t.requires_grad:
            continue
        for part in ([t.real, t.imag] if t.is_complex() else [t]):
            weight = torch.from_numpy(rng.uniform(0.5, 1.5, tuple(part.shape))).to(part.dtype)
            term = (part * weight).sum()
            expected = term if expected is None else expected + term
    found = flambeau.autograd.grad(total, ours.leaves, allow_unused=True)
    wanted = torch.autograd.grad(expected, leaves, allow_unused=True)
    assert len(found) == len(wanted)
    for f, w in zip(found, wanted):
        f = 0.0 if f is None else numbers(f)
        w = 0.0 if w is None else w.numpy(force=True)
        np.testing.assert_allclose(f, w, 1e-6, 1e-8, err_msg=f"gradient of {key}({call})")


