import torch
from torch import nn


def start(module):
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.constant_(module.bias, 0.01)


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
model.apply(start)
print(model[0].weight, model[0].bias)
print(nn.init.kaiming_normal_(torch.empty(2, 2), nonlinearity="relu"))
print(nn.init.normal_(torch.empty(3)), nn.init.zeros_(torch.ones(2)))
print(nn.init.orthogonal_(torch.empty(2, 2)).shape)

# Output:
# Parameter containing:
# tensor([[-0.2153, -1.0465, -0.7255],
#         [-0.4516,  0.0406,  0.4331]], requires_grad=True) Parameter containing:
# tensor([0.0100, 0.0100], requires_grad=True)
# tensor([[-0.0451,  0.8797],
#         [ 1.0482, -0.0445]])
# tensor([-0.7229,  2.8663, -0.5655]) tensor([0., 0.])
# torch.Size([2, 2])
