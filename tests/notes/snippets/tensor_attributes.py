import torch

t = torch.rand(3, 4)
print(f"Shape of tensor: {t.shape}")
print(f"Datatype of tensor: {t.dtype}")
print(f"Device tensor is stored on: {t.device}")
print(t.size(), t.size(0), t.dim(), t.ndim, t.numel(), len(t))
print(t.is_contiguous(), t.stride(), t.requires_grad, t.layout)
print(isinstance(t.shape, tuple), t.shape == (3, 4), list(t.shape))
rows, columns = t.shape
print(rows, columns, t.element_size(), torch.is_tensor(t))

# Output:
# Shape of tensor: torch.Size([3, 4])
# Datatype of tensor: torch.float32
# Device tensor is stored on: cpu
# torch.Size([3, 4]) 3 2 2 12 3
# True (4, 1) False torch.strided
# True True [3, 4]
# 3 4 4 True
