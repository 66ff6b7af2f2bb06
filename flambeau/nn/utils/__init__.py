"""Helpers around modules: clipping, flattening, sequences, parametrizations."""
from . import rnn

__all__ = ["rnn"]
