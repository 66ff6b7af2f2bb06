import numpy as np
import torch

print(torch.tensor([[1, 2, 3], [4, 5, 6]]))
print(torch.tensor([1.5, 2.5, -3.25]))
print(torch.tensor(3.14159))
print(torch.tensor([True, False]))
print(torch.tensor([[1.0, float("nan")], [float("inf"), -1e-9]]))
print(torch.tensor([1, 2], dtype=torch.float64))
x = torch.Tensor([[1, 2], [3, 4]])
print(x, x.dtype, x.type())
print(torch.FloatTensor([1, 2]), torch.LongTensor([1, 2]), torch.Tensor(2, 3).shape)
print(torch.as_tensor(np.arange(3)))

# Output:
# tensor([[1, 2, 3],
#         [4, 5, 6]])
# tensor([ 1.5000,  2.5000, -3.2500])
# tensor(3.1416)
# tensor([ True, False])
# tensor([[ 1.0000e+00,         nan],
#         [        inf, -1.0000e-09]])
# tensor([1., 2.], dtype=torch.float64)
# tensor([[1., 2.],
#         [3., 4.]]) torch.float32 torch.FloatTensor
# tensor([1., 2.]) tensor([1, 2]) torch.Size([2, 3])
# tensor([0, 1, 2])
