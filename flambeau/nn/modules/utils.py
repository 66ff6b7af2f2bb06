"""The tuple helpers under the names that PyTorch's ``nn.modules.utils`` gives them."""
from .._sizes import (  # noqa: F401
    _list_with_default,
    _ntuple,
    _pair,
    _quadruple,
    _reverse_repeat_tuple,
    _single,
    _triple,
)

__all__: list[str] = []
