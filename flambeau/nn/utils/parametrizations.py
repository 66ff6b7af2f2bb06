"""Ready parametrizations: orthogonal matrices, weight normalisation, spectral normalisation."""
import flambeau
from flambeau.tensor import Tensor

from ..modules.module import Module
from . import parametrize
from ._norms import as_matrix, default_dim, norm_except_dim, unit, weight_from

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    def __init__(self, dim=0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g, weight_v):
        return weight_from(weight_v, weight_g, self.dim)

    def right_inverse(self, weight):
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module, name="weight", dim=0):
    """Write ``weight = g * v / ||v||`` with the norm over all dimensions but ``dim``.

    Reference: Salimans and Kingma, 2016, https://arxiv.org/abs/1602.07868.
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def load_old_keys(
        state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        old = [f"{prefix}{name}_{suffix}" for suffix in "gv"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                new = f"{prefix}parametrizations.{name}.original{i}"
                state_dict[new] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(load_old_keys)
    return module


class _SpectralNorm(Module):
    def __init__(self, weight, n_power_iterations=1, dim=0, eps=1e-12):
        super().__init__()
        ndim = weight.dim()
        if not -ndim <= dim < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but "
                f"got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight.detach(), self.dim)
            height, width = matrix.shape
            self.register_buffer("_u", unit(matrix.new_empty(height).normal_(0, 1), eps))
            self.register_buffer("_v", unit(matrix.new_empty(width).normal_(0, 1), eps))
            self._power_method(matrix, 15)

    def _power_method(self, matrix, iterations):
        with flambeau.no_grad():
            u, v = self._u, self._v
            for _ in range(iterations):
                u = unit(flambeau.mv(matrix, v), self.eps)
                v = unit(flambeau.mv(matrix.t(), u), self.eps)
            self._u.copy_(u)
            self._v.copy_(v)

    def forward(self, weight):
        if weight.dim() == 1:
            return unit(weight, self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the buffers change before backward
        return weight / flambeau.dot(u, flambeau.mv(matrix, v))

    def right_inverse(self, value):
        return value


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide ``weight`` by its largest singular value, estimated by power iteration.

    Reference: Miyato et al., 2018, https://arxiv.org/abs/1802.05957.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    dim = default_dim(module) if dim is None else dim
    parametrization = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return parametrize.register_parametrization(module, name, parametrization)


class _Orthogonal(Module):
    """An orthogonal matrix from any matrix, around a fixed base."""

    def __init__(self, weight, orthogonal_map, use_trivialization=True):
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x):
        n, k = x.size(-2), x.size(-1)
        transposed = n < k
        if transposed:
            x = x.transpose(-1, -2)
            n, k = k, n
        x = x.tril()
        if n != k:
            zeros = flambeau.zeros(*x.shape[:-1], n - k, dtype=x.dtype)
            x = flambeau.cat([x, zeros], dim=-1)
        skew = x - x.transpose(-1, -2)
        if self.orthogonal_map == "matrix_exp":
            q = flambeau.linalg.matrix_exp(skew)
        else:
            identity = flambeau.eye(n, dtype=x.dtype)
            q = flambeau.linalg.solve(identity - 0.5 * skew, identity + 0.5 * skew)
        if n != k:
            q = q[..., :k]
        if hasattr(self, "base"):
            q = self.base @ q
        return q.transpose(-1, -2) if transposed else q

    def right_inverse(self, q):
        if q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. "
                f"Got a tensor of shape {q.shape}."
            )
        if not hasattr(self, "base"):
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley "
                "parametrizations when use_trivialization=False."
            )
        with flambeau.no_grad():
            start = q
            n, k = q.size(-2), q.size(-1)
            if n < k:
                q = q.transpose(-1, -2)
                n, k = k, n
            if n != k:
                q = flambeau.cat([q, flambeau.randn(*q.shape[:-1], n - k, dtype=q.dtype)], dim=-1)
            basis, r = flambeau.linalg.qr(q)
            self.base = basis * flambeau.sign(flambeau.diagonal(r, 0, -2, -1)).unsqueeze(-2)
            # Both maps send a matrix without off-diagonal part to the base itself.
            return -flambeau.eye(start.size(-2), start.size(-1), dtype=start.dtype).expand(
                start.shape
            )


def orthogonal(module, name="weight", orthogonal_map=None, *, use_trivialization=True):
    """Keep ``weight`` orthogonal (or with orthonormal rows or columns).

    Args:
        orthogonal_map: ``"matrix_exp"`` (the default) or ``"cayley"``; PyTorch's
            ``"householder"`` is not supported.
        use_trivialization: express the matrix relative to its first value.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.dim() < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions."
        )
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp"
    if orthogonal_map == "householder":
        raise NotImplementedError(
            'orthogonal_map="householder" is not supported; use "matrix_exp" or "cayley"'
        )
    if orthogonal_map not in ("matrix_exp", "cayley"):
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
            f"Got: {orthogonal_map}"
        )
    parametrization = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return parametrize.register_parametrization(module, name, parametrization, unsafe=True)
