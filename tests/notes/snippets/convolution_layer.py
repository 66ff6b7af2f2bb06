import torch
import torch.nn.functional as F
from torch import nn

image = torch.tensor([[1, 2, 0, 3, 1], [0, 1, 2, 3, 1], [1, 2, 1, 0, 0],
                      [5, 2, 3, 1, 1], [2, 1, 0, 1, 1]])
kernel = torch.tensor([[1, 2, 1], [0, 1, 0], [2, 1, 0]])
image = torch.reshape(image, (1, 1, 5, 5))
kernel = torch.reshape(kernel, (1, 1, 3, 3))
print(F.conv2d(image.float(), kernel.float(), stride=1))
print(F.conv2d(image.float(), kernel.float(), stride=2))
print(F.conv2d(image.float(), kernel.float(), stride=1, padding=1))
torch.manual_seed(0)
conv = nn.Conv2d(in_channels=3, out_channels=6, kernel_size=3, stride=1, padding=0)
out = conv(torch.ones(4, 3, 32, 32))
print(conv, out.shape, torch.reshape(out, (-1, 3, 30, 30)).shape)
print(conv.weight.shape, conv.bias)
print(nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)(torch.ones(1, 2, 4, 4)).shape)

# Output:
# tensor([[[[10., 12., 12.],
#           [18., 16., 16.],
#           [13.,  9.,  3.]]]])
# tensor([[[[10., 12.],
#           [13.,  3.]]]])
# tensor([[[[ 1.,  3.,  4., 10.,  8.],
#           [ 5., 10., 12., 12.,  6.],
#           [ 7., 18., 16., 16.,  8.],
#           [11., 13.,  9.,  3.,  4.],
#           [14., 13.,  9.,  7.,  4.]]]])
# Conv2d(3, 6, kernel_size=(3, 3), stride=(1, 1)) torch.Size([4, 6, 30, 30]) torch.Size([8, 3, 30, 30])
# torch.Size([6, 3, 3, 3]) Parameter containing:
# tensor([-0.1727, -0.1662, -0.0301,  0.0025, -0.0874,  0.0725],
#        requires_grad=True)
# torch.Size([1, 3, 7, 7])
