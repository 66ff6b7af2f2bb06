"""Tools around training: data loading, TensorBoard logs, checkpointing (``torch.utils``)."""
