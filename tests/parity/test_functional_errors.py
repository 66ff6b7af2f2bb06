"""Wrong calls of functions: the same exception as PyTorch, its text at the beginning."""
import warnings

import pytest

torch = pytest.importorskip("torch")

import flambeau as fb


def zeros(*shape):
    return lambda t: t.zeros(*shape)


def ints(*values):
    return lambda t: t.tensor(values if len(values) != 1 else values[0])


def double(*shape):
    return lambda t: t.zeros(*shape, dtype=t.float64)


def long(*shape):
    return lambda t: t.zeros(*shape, dtype=t.int64)


# (function, arguments, options); functions as arguments make tensors. The first line is compared.
CALLS = [
    ("conv2d", zeros(2, 3), zeros(8, 3, 3, 3)),
    ("conv2d", zeros(1, 3, 2, 2), zeros(8, 3, 3, 3)),
    ("conv2d", zeros(1, 3, 5, 5), zeros(8, 3, 3, 3), zeros(4)),
    ("conv2d", double(1, 3, 5, 5), zeros(8, 3, 3, 3)),
    ("conv2d", zeros(1, 3, 5, 5), zeros(8, 3, 3, 3), {"groups": 2}),
    ("conv2d", zeros(1, 4, 5, 5), zeros(7, 2, 3, 3), {"groups": 2}),
    ("conv2d", zeros(1, 3, 5, 5), zeros(8, 3, 3, 3), {"stride": 0}),
    ("conv2d", zeros(1, 3, 5, 5), zeros(8, 3, 3, 3), {"padding": -1}),
    ("conv2d", zeros(1, 3, 5, 5), zeros(8, 3, 3, 3), {"padding": "foo"}),
    ("conv2d", zeros(1, 3, 5, 5), zeros(8, 3, 3, 3), {"padding": "same", "stride": 2}),
    ("conv2d", zeros(1, 3, 5, 5), zeros(8, 3, 3, 3), {"stride": (1, 2, 3)}),
    ("conv_transpose2d", zeros(1, 3, 5, 5), zeros(8, 3, 3, 3)),
    ("conv_transpose2d", zeros(3, 5), zeros(3, 8, 3, 3)),
    ("linear", zeros(4, 1024), zeros(10, 784), zeros(10)),
    ("linear", zeros(2, 4, 1024), zeros(10, 784), zeros(10)),
    ("linear", zeros(4, 784), zeros(10, 784), zeros(11)),
    ("linear", zeros(1024), zeros(10, 784)),
    ("linear", double(4, 784), zeros(10, 784), zeros(10)),
    ("linear", long(4, 784), zeros(10, 784), zeros(10)),
    ("bilinear", zeros(4, 3), zeros(4, 5), zeros(6, 3, 4)),
    ("max_pool2d", zeros(4, 4), 2),
    ("max_pool2d", zeros(1, 1, 4, 4), 2, {"padding": 2}),
    ("max_pool2d", zeros(1, 1, 1, 1), 2),
    ("max_pool2d", zeros(1, 1, 4, 4), (1, 2, 3)),
    ("max_pool2d", zeros(1, 1, 4, 4), 2, 0),
    ("avg_pool2d", zeros(1, 1, 4, 4), 2, {"padding": 2}),
    ("avg_pool2d", zeros(1, 1, 1, 1), 2),
    ("avg_pool2d", zeros(1, 1, 4, 4), 2, {"divisor_override": 0}),
    ("max_pool1d", zeros(4), 2),
    ("max_pool1d", zeros(1, 1, 1), 2),
    ("max_pool3d", zeros(4, 4), 2),
    ("adaptive_avg_pool2d", zeros(4, 4), 2),
    ("adaptive_avg_pool2d", zeros(1, 4, 4, 4), (2, 2, 2)),
    ("adaptive_max_pool2d", zeros(4, 4), 2),
    ("batch_norm", zeros(1, 3), zeros(3), zeros(3), {"training": True}),
    ("batch_norm", zeros(2, 3), zeros(4), zeros(4), {"training": True}),
    ("batch_norm", zeros(2, 3), zeros(4), zeros(4)),
    ("batch_norm", zeros(2, 3), None, None),
    ("batch_norm", zeros(2, 3), zeros(3), zeros(3), zeros(4), {"training": True}),
    ("layer_norm", zeros(2, 3), (4,)),
    ("layer_norm", zeros(2, 3), (3,), zeros(4)),
    ("layer_norm", zeros(2, 3), (3,), zeros(3), zeros(4)),
    ("group_norm", zeros(2, 3), 2),
    ("group_norm", zeros(2, 4, 3), 2, zeros(3)),
    ("instance_norm", zeros(2, 4, 1)),
    ("local_response_norm", zeros(2, 4), 2),
    ("cross_entropy", zeros(3, 5), zeros(3)),
    ("cross_entropy", zeros(3, 5), ints(1, 2)),
    ("cross_entropy", zeros(3, 5), long(3, 1)),
    ("cross_entropy", zeros(3, 5), ints(1, 2, 3), {"weight": zeros(4)}),
    ("cross_entropy", zeros(3, 5), zeros(3, 4)),
    ("cross_entropy", zeros(3, 5), long(3, 5)),
    ("cross_entropy", zeros(3, 5), zeros(3, 5), {"ignore_index": 1}),
    ("cross_entropy", zeros(3, 5, 2), ints(1, 2, 3)),
    ("cross_entropy", zeros(3, 5), ints(1, 2, 3), {"label_smoothing": 2.0}),
    ("cross_entropy", zeros(3, 5), ints(1, 2, 3), {"reduction": "foo"}),
    ("cross_entropy", zeros(3, 5), ints(1, 2, 5)),
    ("nll_loss", zeros(3, 5), zeros(3)),
    ("nll_loss", zeros(3, 5), ints(1, 2)),
    ("nll_loss", zeros(3, 5, 2), long(3, 3)),
    ("mse_loss", zeros(3, 5), zeros(3, 4)),
    ("mse_loss", zeros(3, 5), zeros(3, 5), {"reduction": "bar"}),
    ("binary_cross_entropy", zeros(3, 5), zeros(3, 4)),
    ("binary_cross_entropy", lambda t: t.full((3,), 2.0), zeros(3)),
    ("binary_cross_entropy_with_logits", zeros(3, 5), zeros(3, 4)),
    ("smooth_l1_loss", zeros(3), zeros(3), {"beta": -1}),
    ("huber_loss", zeros(3), zeros(3), {"delta": -1}),
    ("embedding", zeros(2), zeros(3, 4)),
    ("embedding", ints(1), zeros(3)),
    ("embedding", ints(7), zeros(3, 4)),
    ("embedding", ints(1, 2), zeros(3, 4), {"padding_idx": 5}),
    ("one_hot", ints(7, 1), 3),
    ("one_hot", ints(-1, 2)),
    ("one_hot", zeros(3)),
    ("glu", zeros(3)),
    ("pad", zeros(3), (1, 2, 3, 4)),
    ("pad", zeros(3), (1,)),
    ("pad", zeros(1, 3, 3), (4, 1), {"mode": "reflect"}),
    ("pad", zeros(3), (1, 1), {"mode": "reflect"}),
    ("pad", zeros(1, 3, 3), (4, 1), {"mode": "circular"}),
    ("pad", zeros(1, 3, 3), (4, 1), {"mode": "foo"}),
    ("pad", zeros(1, 3, 3), (2, 1), {"mode": "reflect", "value": 1}),
    ("pixel_shuffle", zeros(1, 3, 2, 2), 2),
    ("pixel_shuffle", zeros(2, 2), 2),
    ("pixel_unshuffle", zeros(1, 3, 3, 2), 2),
    ("interpolate", zeros(1, 3, 3), {"scale_factor": 2, "mode": "bilinear"}),
    ("interpolate", zeros(1, 3, 3)),
    ("interpolate", zeros(1, 3, 3), 2, 2),
    ("interpolate", zeros(1, 3, 3), (2, 2)),
    ("interpolate", zeros(1, 3, 3, 3), {"scale_factor": 2, "mode": "foo"}),
    ("interpolate", zeros(1, 3, 3, 3), {"scale_factor": 2, "align_corners": True}),
    ("interpolate", zeros(3, 3), {"scale_factor": 2}),
    ("dropout", zeros(3), 2),
    ("unfold", zeros(1, 1, 2, 2), 3),
    ("fold", zeros(1, 3, 2), (4, 4), 2),
    ("fold", zeros(1, 4, 2), (4, 4), 2),
    ("prelu", zeros(2, 3), zeros(2)),
    ("gelu", zeros(2), {"approximate": "x"}),
    ("grid_sample", zeros(1, 1, 2, 2), zeros(1, 2, 2, 3)),
    ("grid_sample", zeros(1, 1, 2, 2), zeros(2, 2, 2, 2)),
    ("hardtanh", zeros(3), 2, 1),
    ("embedding_bag", ints(1, 2), zeros(3, 4)),
    ("embedding_bag", ints(1, 2), zeros(3, 4), lambda t: t.tensor([1])),
    ("scaled_dot_product_attention", zeros(2, 3, 4), zeros(2, 3, 5), zeros(2, 3, 5)),
]


def call(library, name, *given):
    options = given[-1] if given and isinstance(given[-1], dict) else {}
    given = given[:-1] if options else given
    make = lambda x: x(library) if callable(x) else x
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function = getattr(library.nn.functional, name)
        result = function(*map(make, given), **{k: make(v) for k, v in options.items()})
        result.sum().item()     # what depends on values is found when the program runs


@pytest.mark.parametrize("arguments", CALLS, ids=lambda c: f"{c[0]}-{len(c)}")
def test_error_begins_as_pytorchs(arguments):
    with pytest.raises(Exception) as theirs:
        call(torch, *arguments)
    with pytest.raises(Exception) as mine:
        call(fb, *arguments)
    text = str(theirs.value).split("\n")[0].strip().rstrip(".")
    assert isinstance(mine.value, type(theirs.value)), (str(mine.value), text)
    assert str(mine.value).startswith(text), (str(mine.value), text)
