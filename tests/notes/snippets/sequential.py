from collections import OrderedDict

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
print(model)
print(model(torch.ones(2, 2, 2)), model[1], len(model))
named = nn.Sequential(OrderedDict([("conv", nn.Conv2d(1, 2, 3)), ("act", nn.ReLU())]))
named.add_module("pool", nn.MaxPool2d(2))
print(named, named.pool)
print(named(torch.ones(1, 1, 8, 8)).shape)
print([name for name, _ in named.named_children()])

# Output:
# Sequential(
#   (0): Flatten(start_dim=1, end_dim=-1)
#   (1): Linear(in_features=4, out_features=3, bias=True)
#   (2): ReLU()
#   (3): Linear(in_features=3, out_features=2, bias=True)
# )
# tensor([[ 0.4794, -0.1188],
#         [ 0.4794, -0.1188]], grad_fn=<AddmmBackward0>) Linear(in_features=4, out_features=3, bias=True) 4
# Sequential(
#   (conv): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))
#   (act): ReLU()
#   (pool): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
# ) MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
# torch.Size([1, 2, 3, 3])
# ['conv', 'act', 'pool']
