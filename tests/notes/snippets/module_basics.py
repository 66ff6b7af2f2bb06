import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 20, 5)
        self.linear = nn.Linear(320, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.linear(torch.flatten(x, 1))


torch.manual_seed(0)
net = Net()
print(net)
print(net(torch.ones(2, 1, 28, 28)))
for name, parameter in net.named_parameters():
    print(name, tuple(parameter.size()), parameter.requires_grad)
print(sum(p.numel() for p in net.parameters()), net.training, net.eval().training)
print(net.conv1, net.linear.in_features, list(net.state_dict()))

# Output:
# Net(
#   (conv1): Conv2d(1, 20, kernel_size=(5, 5), stride=(1, 1))
#   (conv2): Conv2d(20, 20, kernel_size=(5, 5), stride=(1, 1))
#   (linear): Linear(in_features=320, out_features=10, bias=True)
# )
# tensor([[-0.1667,  0.1328,  0.1122,  0.1040,  0.2119,  0.0651,  0.0191,  0.0810,
#          -0.0959,  0.1087],
#         [-0.1667,  0.1328,  0.1122,  0.1040,  0.2119,  0.0651,  0.0191,  0.0810,
#          -0.0959,  0.1087]], grad_fn=<AddmmBackward0>)
# conv1.weight (20, 1, 5, 5) True
# conv1.bias (20,) True
# conv2.weight (20, 20, 5, 5) True
# conv2.bias (20,) True
# linear.weight (10, 320) True
# linear.bias (10,) True
# 13750 True False
# Conv2d(1, 20, kernel_size=(5, 5), stride=(1, 1)) 320 ['conv1.weight', 'conv1.bias', 'conv2.weight', 'conv2.bias', 'linear.weight', 'linear.bias']
