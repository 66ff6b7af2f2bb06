"""Checkpoint files: the inner parts of :mod:`flambeau.serialization`.

Saving: object -> pickler (pickle stream + storages) -> zip or legacy file.
Loading: file -> weights_only or trusting unpickler -> names -> tensors.
"""
