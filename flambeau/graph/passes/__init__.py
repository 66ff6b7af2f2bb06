"""The passes between a recorded graph and its kernels, one verb a file, in the order they run."""
