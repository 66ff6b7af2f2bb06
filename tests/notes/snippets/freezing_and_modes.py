import copy

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
before = copy.deepcopy(model.state_dict())
for parameter in model[0].parameters():
    parameter.requires_grad = False
optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    model(torch.randn(8, 4)).pow(2).sum().backward()
    optimizer.step()
for name, value in model.state_dict().items():
    print(name, torch.equal(value, before[name]))
model.eval()
x = torch.randn(2, 4)
print(torch.equal(model(x), model(x)), model.training, model[2].training)
print([type(m).__name__ for m in model.modules()])

# Output:
# 0.weight True
# 0.bias True
# 1.weight False
# 1.bias False
# 1.running_mean False
# 1.running_var False
# 1.num_batches_tracked False
# 3.weight False
# 3.bias False
# True False False
# ['Sequential', 'Linear', 'BatchNorm1d', 'Dropout', 'Linear']
