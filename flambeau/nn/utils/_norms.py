"""The arithmetic of weight and spectral normalisation, shared by the old and the new form."""
import flambeau

from .. import functional as F


def norm_except_dim(v, dim):
    """The 2-norm over all dimensions but ``dim`` (-1: over all), kept as extents of 1."""
    if dim == -1:
        return v.norm(2)
    shape = [1] * v.dim()
    shape[dim] = v.size(dim)
    return flambeau.sqrt((v * v).transpose(0, dim).reshape(v.size(dim), -1).sum(1)).reshape(shape)


def weight_from(v, g, dim):
    """``v * g / ||v||``."""
    return v * (g / norm_except_dim(v, dim))


def as_matrix(weight, dim):
    """``weight`` with the dimension ``dim`` first and the others joined."""
    if dim != 0:
        order = [dim] + [d for d in range(weight.dim()) if d != dim]
        weight = weight.permute(*order)
    return weight.reshape(weight.size(0), -1)


def unit(vector, eps):
    """``vector`` with length 1."""
    return F.normalize(vector, dim=0, eps=eps)


def default_dim(module):
    """The output dimension of a module's weight."""
    from ..modules.conv import _ConvTransposeNd

    return 1 if isinstance(module, _ConvTransposeNd) else 0
