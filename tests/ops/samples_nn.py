"""Samples of the operations behind torch.nn.functional."""

from __future__ import annotations

import numpy as np

from .samples import call, f, flags, positive, sample, unit, whole

_F = "nn.functional."


def nn(names: str, *calls):
    for name in names.split():
        sample(_F + name, *calls)


def probabilities(*shape):
    x = unit(*shape)
    return x / x.sum(-1, keepdims=True)


# ---- activations --------------------------------------------------------------------------------

nn("threshold", call(f(3, 4), 0.15, 2.0))
nn("hardtanh", call(f(3, 4), -0.55, 0.55))
nn("leaky_relu", call(f(3, 4), 0.1))
nn("elu celu", call(f(3, 4), 1.5))
nn("gelu", call(f(3, 4)), call(f(3, 4), "tanh"))
nn("softplus", call(f(3, 4), 2.0, 20.0))
nn("hardshrink softshrink", call(f(3, 4), 0.15))
nn("prelu", call(f(3, 4), f(4)), call(f(2, 3, 4), f(1)))
nn("glu", call(f(3, 4)), call(f(4, 3), 0))
nn("scale_by_mask", call(f(3, 4), flags(3, 4).astype(float)))
nn("scale_by_mask_alpha", call(f(3, 4), flags(3, 4) / 0.7, 0.3))
nn("gumbel_softmax_soft", call(f(3, 4), positive(3, 4), 0.7, 1))
_attention = "_nn.scaled_dot_product_attention"
sample(_attention,
       call(f(2, 2, 3, 4), f(2, 2, 5, 4), f(2, 2, 5, 4), None, None, False, None, False),
       call(f(2, 3, 4), f(2, 3, 4), f(2, 3, 4), None, None, True, 0.5, False),
       call(f(3, 4), f(5, 4), f(5, 4), f(3, 5), None, False, None, False))

# ---- losses -------------------------------------------------------------------------------------

nn("nll_loss cross_entropy", call(f(4, 3), whole(3, 4)), call(f(4, 3), whole(3, 4), unit(3)),
   call(f(2, 3, 5), whole(3, 2, 5), None, -100, "none"))
nn("cross_entropy", call(f(4, 3), probabilities(4, 3)),
   call(f(4, 3), whole(3, 4), None, -100, "mean", 0.1))
nn("multi_margin_loss", call(f(4, 3), whole(3, 4)))
nn("multilabel_margin_loss", call(f(2, 4), np.array([[3, 0, -1, 1], [1, -1, 2, 0]])))
nn("mse_loss l1_loss smooth_l1_loss huber_loss", call(f(3, 4), f(3, 4)),
   call(f(3, 4), f(3, 4), reduction="none"))
nn("binary_cross_entropy", call(unit(3, 4), unit(3, 4)), call(unit(3), unit(3), unit(3), "sum"))
nn("binary_cross_entropy_with_logits", call(f(3, 4), unit(3, 4)),
   call(f(3, 4), unit(3, 4), None, "mean", positive(4)))
nn("kl_div", call(f(3, 4), probabilities(3, 4)), call(f(3, 4), f(3, 4), "sum", True))
nn("poisson_nll_loss", call(f(3, 4), positive(3, 4), True, True, 1e-8, "mean"))
nn("gaussian_nll_loss", call(f(3, 4), f(3, 4), positive(3, 4), True, 1e-6, "mean"))
_signs = np.array([1, -1, 1])
nn("soft_margin_loss", call(f(3), _signs))
nn("multilabel_soft_margin_loss", call(f(3, 4), flags(3, 4).astype(float)))
nn("hinge_embedding_loss", call(f(3), _signs))
nn("margin_ranking_loss", call(f(3), f(3), _signs))
nn("cosine_similarity", call(f(3, 4), f(3, 4)), call(f(4), f(4), 0))
nn("cosine_embedding_loss", call(f(3, 4), f(3, 4), _signs))
nn("pairwise_distance", call(f(3, 4), f(3, 4), 2.0, 1e-6, False), call(f(3, 4), f(4), 1.0))
nn("pdist", call(f(4, 3), 2.0))
nn("triplet_margin_loss", call(f(3, 4), f(3, 4), f(3, 4)))
sample("_nn.ctc_loss", call(np.log(probabilities(5, 2, 4)), np.array([[1, 2], [3, 1]]), (5, 4),
                            (2, 1), 0, False, smooth=False))

# ---- linear and convolution ---------------------------------------------------------------------

nn("linear", call(f(3, 4), f(5, 4), f(5)), call(f(2, 3, 4), f(5, 4)), call(f(4), f(5, 4)))
nn("bilinear", call(f(3, 4), f(3, 5), f(2, 4, 5), f(2)))
nn("conv1d", call(f(2, 4, 8), f(6, 2, 3), f(6), stride=2, padding=1, groups=2))
nn("conv2d", call(f(2, 3, 6, 6), f(4, 3, 3, 3), f(4), padding=1),
   call(f(1, 2, 7, 6), f(3, 2, 2, 3), None, stride=(2, 1), dilation=(1, 2)))
nn("conv3d", call(f(1, 2, 4, 4, 4), f(2, 2, 2, 2, 2)))
nn("conv_transpose1d", call(f(2, 3, 5), f(3, 2, 3), f(2), stride=2, padding=1, output_padding=1))
nn("conv_transpose2d", call(f(1, 3, 4, 4), f(3, 2, 3, 3), f(2), stride=2))
nn("conv_transpose3d", call(f(1, 2, 3, 3, 3), f(2, 2, 2, 2, 2)))
nn("conv_tbc", call(f(5, 2, 3), f(3, 3, 4), f(4), 1))

# ---- normalisation ------------------------------------------------------------------------------

nn("batch_norm_train", call(f(4, 3), None, None, positive(3), f(3), 0.1, 1e-5),
   call(f(2, 3, 4), f(3), positive(3), None, None, 0.1, 1e-5))
nn("batch_norm_eval", call(f(4, 3), f(3), positive(3), positive(3), f(3), 1e-5))
nn("instance_norm_train", call(f(2, 3, 5), None, None, positive(3), f(3), 0.1, 1e-5))
nn("layer_norm", call(f(3, 4), (4,), positive(4), f(4)), call(f(2, 3, 4), (3, 4)))
nn("rms_norm", call(f(3, 4), (4,), positive(4), 1e-6))
nn("group_norm", call(f(2, 4, 3), 2, positive(4), f(4)))
nn("local_response_norm", call(f(2, 5, 4), 3, 1e-2, 0.75, 1.0))
nn("normalize", call(f(3, 4)), call(f(3, 4), 1.0, 0))

# ---- embeddings ---------------------------------------------------------------------------------

sample("_nn.embedding", call(f(5, 4), whole(5, 2, 3), -1, False),
       call(f(5, 4), whole(5, 6), 2, True, smooth=False))
sample("_nn.renormalised_rows", call(f(5, 4), whole(5, 3), 1.0, 2.0, smooth=False))
sample("_nn.embedding_bag", call(f(5, 4), whole(5, 6), np.array([0, 2, 4]), 3, "mean", None, -1,
                                 False),
       call(f(5, 4), whole(5, 6), np.array([0, 2, 4]), 3, "sum", unit(6), -1, False))
sample("_nn.one_hot", call(whole(4, 3), 4))
sample("_nn.total_norm", call([f(3, 4), f(5)], 2.0))
sample("_nn.scale_all", call([f(3, 4), f(5)], positive(), 1.0))
sample("_nn.clamp_all", call([f(3, 4), f(5)], 0.55))

# ---- pooling ------------------------------------------------------------------------------------

nn("max_pool max_pool_with_indices", call(f(2, 3, 6, 6), 2, 2, 2, 0, 1, False),
   call(f(2, 3, 7), 1, 3, 2, 1, 1, True))
nn("max_unpool", call(f(1, 2, 2), np.array([[[1, 3], [0, 2]]]), (4,)))
nn("avg_pool", call(f(2, 3, 6, 6), 2, 2, 2, 0, False, True, None),
   call(f(2, 3, 7), 1, 3, 2, 1, True, False, None))
nn("lp_pool", call(positive(2, 3, 6), 1, 2.0, 2, None, False))
nn("adaptive_avg_pool adaptive_max_pool", call(f(2, 3, 7), (3,)), call(f(1, 2, 5, 6), (2, 3)))
nn("fractional_max_pool", call(f(1, 2, 6, 6), unit(1, 2, 2), (2, 2), (3, 3)))

# ---- recurrent ----------------------------------------------------------------------------------

for _mode, _gates in (("RNN_TANH", 1), ("GRU", 3), ("LSTM", 4)):
    _states = [f(2, 3)] * (2 if _mode == "LSTM" else 1)
    _weights = [f(_gates * 3, 4), f(_gates * 3, 3), f(_gates * 3), f(_gates * 3)]
    sample("_nn.recurrent_cell", call(_mode, f(2, 4), _states, *_weights))
    sample("_nn.recurrent_layer", call(_mode, f(5, 2, 4), _states, _weights, True, False, False,
                                       None))

# ---- space --------------------------------------------------------------------------------------

sample("_nn.pad_number", call(f(2, 3, 4), (1, 2), 0.5))
sample("_nn.pad_edges", *[call(f(1, 2, 5), (2, 1), mode)
                          for mode in ("reflect", "replicate", "circular")])
nn("pixel_shuffle", call(f(1, 8, 2, 3), 2))
nn("pixel_unshuffle", call(f(1, 2, 4, 6), 2))
nn("channel_shuffle", call(f(1, 6, 3), 3))
nn("unfold", call(f(1, 2, 4, 5), (2, 3), 1, 1, 1))
nn("fold", call(f(1, 8, 6), (3, 4), (2, 2), 1, 0, 1))
sample("_nn.resample_by_taps", call(f(1, 2, 4), [np.array([[0, 1, 3], [1, 2, 3]])],
                                    [unit(2, 3)], smooth=False))
sample("_nn.resample_by_matrices", call(f(1, 2, 4), [f(3, 4)]))
sample("_nn.grid_sample", call(f(1, 2, 4, 5), unit(1, 3, 3, 2), "bilinear", "zeros", False),
       call(f(1, 2, 4, 5), unit(1, 3, 3, 2), "bicubic", "border", True))
