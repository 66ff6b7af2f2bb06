import time

import torch
from torch import nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
net = nn.Linear(4, 2).to(device)
criterion = nn.CrossEntropyLoss().to(device)
if torch.cuda.is_available():
    net = net.cuda()
x = torch.randn(3, 4).to(device)
y = torch.tensor([0, 1, 1]).to(device)
start = time.time()
loss = criterion(net(x), y)
loss.backward()
print(device.type, loss.device, net.weight.grad.shape, time.time() - start < 60)
print(torch.cuda.current_device() if torch.cuda.is_available() else "no GPU")

# Output:
# cpu cpu torch.Size([2, 4]) True
# no GPU
