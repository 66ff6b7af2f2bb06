import torch
from torch import nn

x = torch.tensor([[1.0, -0.5], [-1.0, 3.0]])
print(nn.ReLU()(x), nn.Sigmoid()(x), nn.Tanh()(x))
print(nn.LeakyReLU(0.1)(x), nn.GELU()(x), nn.ELU()(x), nn.SiLU()(x))
print(nn.Softmax(dim=1)(x), nn.LogSoftmax(dim=1)(x))
inner = nn.ReLU(inplace=True)
print(inner(x), x, inner)

# Output:
# tensor([[1., 0.],
#         [0., 3.]]) tensor([[0.7311, 0.3775],
#         [0.2689, 0.9526]]) tensor([[ 0.7616, -0.4621],
#         [-0.7616,  0.9951]])
# tensor([[ 1.0000, -0.0500],
#         [-0.1000,  3.0000]]) tensor([[ 0.8413, -0.1543],
#         [-0.1587,  2.9959]]) tensor([[ 1.0000, -0.3935],
#         [-0.6321,  3.0000]]) tensor([[ 0.7311, -0.1888],
#         [-0.2689,  2.8577]])
# tensor([[0.8176, 0.1824],
#         [0.0180, 0.9820]]) tensor([[-0.2014, -1.7014],
#         [-4.0181, -0.0181]])
# tensor([[1., 0.],
#         [0., 3.]]) tensor([[1., 0.],
#         [0., 3.]]) ReLU(inplace=True)
