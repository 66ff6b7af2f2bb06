import numpy as np
import torch

t = torch.ones(5)
n = t.numpy()
print(t, n, type(n), n.dtype)
t.add_(1)
print(n)
n = np.ones(3)
t = torch.from_numpy(n)
np.add(n, 1, out=n)
print(t, n)
print(torch.tensor(n).dtype, torch.from_numpy(np.array([[1, 2]], dtype=np.int32)))
print(np.asarray(torch.arange(3)), np.sum(torch.ones(4).numpy()))
print(torch.ones(2, 2).tolist(), torch.tensor(2.5).item())
image = (np.arange(24) % 7).reshape(2, 4, 3).astype(np.uint8)
print(torch.from_numpy(image).permute(2, 0, 1).shape)

# Output:
# tensor([1., 1., 1., 1., 1.]) [1. 1. 1. 1. 1.] <class 'numpy.ndarray'> float32
# [2. 2. 2. 2. 2.]
# tensor([2., 2., 2.], dtype=torch.float64) [2. 2. 2.]
# torch.float64 tensor([[1, 2]], dtype=torch.int32)
# [0 1 2] 4.0
# [[1.0, 1.0], [1.0, 1.0]] 2.5
# torch.Size([3, 2, 4])
