import torch
from torch import nn

x = torch.tensor([[1, 2, 0, 3, 1], [0, 1, 2, 3, 1], [1, 2, 1, 0, 0],
                  [5, 2, 3, 1, 1], [2, 1, 0, 1, 1]], dtype=torch.float32)
x = torch.reshape(x, (-1, 1, 5, 5))
print(nn.MaxPool2d(kernel_size=3, ceil_mode=True)(x))
print(nn.MaxPool2d(kernel_size=3, ceil_mode=False)(x))
print(nn.AvgPool2d(2)(x), nn.AdaptiveAvgPool2d((1, 1))(x))
values, indices = nn.MaxPool2d(2, return_indices=True)(x)
print(values, indices)
print(nn.MaxPool2d(3, 2, 1))

# Output:
# tensor([[[[2., 3.],
#           [5., 1.]]]])
# tensor([[[[2.]]]])
# tensor([[[[1.0000, 2.0000],
#           [2.5000, 1.2500]]]]) tensor([[[[1.4000]]]])
# tensor([[[[2., 3.],
#           [5., 3.]]]]) tensor([[[[ 1,  3],
#           [15, 17]]]])
# MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False)
