import os
import tempfile

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x)


torch.manual_seed(0)
net = Net()
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "net.pth")
    torch.save(net, path)
    again = torch.load(path, weights_only=False)
    print(again, torch.equal(net(torch.ones(3)), again(torch.ones(3))))
    torch.save([torch.ones(2), {"a": torch.arange(3)}], path)
    print(torch.load(path))
    try:
        torch.save(net, path)
        torch.load(path)
    except Exception as error:
        print(type(error).__name__, str(error)[:24])

# Output:
# Net(
#   (layer): Linear(in_features=3, out_features=2, bias=True)
# ) True
# [tensor([1., 1.]), {'a': tensor([0, 1, 2])}]
# UnpicklingError Weights only load failed
