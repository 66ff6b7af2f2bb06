import torch
from torch import nn, optim

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
optimizer = optim.SGD([{"params": model[0].parameters()},
                       {"params": model[1].parameters(), "lr": 0.01}], lr=0.1, momentum=0.9)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
for epoch in range(5):
    optimizer.zero_grad()
    model(torch.ones(1, 2)).sum().backward()
    print(nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0))
    optimizer.step()
    scheduler.step()
    print(epoch, [f"{group['lr']:.6f}" for group in optimizer.param_groups])
print(scheduler.get_last_lr(), optimizer.state_dict()["param_groups"][1]["lr"])

# Output:
# tensor(1.6694)
# 0 ['0.100000', '0.010000']
# tensor(1.7321)
# 1 ['0.010000', '0.001000']
# tensor(1.8591)
# 2 ['0.010000', '0.001000']
# tensor(1.8778)
# 3 ['0.001000', '0.000100']
# tensor(1.9015)
# 4 ['0.001000', '0.000100']
# [0.0010000000000000002, 0.0001] 0.0001
