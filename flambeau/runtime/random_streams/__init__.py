"""PyTorch's CPU random streams in NumPy, the bottom of everything random.

`flambeau.random`, `nn.init`, dropout and the data loader draw here, at the moment of the call; the
arrays enter recorded programs as leaves. Nothing in this folder knows tensors: dtypes are given by
name ("float32"), and "bfloat16" values come as their uint16 bits.

    mersenne_twister.py   the engine, its seeding and its 5056-byte state
    rounding.py           fused multiply-add and casts as the kernels of PyTorch do them
    box_muller.py         blocks of 16 normal samples, in the order and with the polynomials of AVX2
    generator_state.py    the distributions
    rejection.py          Poisson, binomial, gamma: samplers that draw a varying number of words
"""

from .generator_state import GeneratorState
from .mersenne_twister import STATE_BYTES, MersenneTwister

__all__ = ["GeneratorState", "MersenneTwister", "STATE_BYTES"]
