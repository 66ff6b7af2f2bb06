import torch
from torch import nn, optim


def train(make):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = make(model.parameters())
    x, y = torch.arange(12.0).reshape(4, 3) / 10, torch.ones(4, 1)
    for _ in range(5):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    print(type(optimizer).__name__, f"{loss.item():.5f}",
          [round(w, 4) for w in model.weight[0].tolist()])
    return optimizer


train(lambda p: optim.SGD(p, lr=0.1, weight_decay=0.01))
train(lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True))
train(lambda p: optim.Adam(p, lr=0.1, betas=(0.9, 0.99), weight_decay=0.01))
train(lambda p: optim.AdamW(p, lr=0.1))
train(lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9))
print(train(lambda p: optim.Adagrad(p, lr=0.1)))

# Output:
# SGD 0.16066 [0.2789, 0.6669, -0.0386]
# SGD 0.30814 [0.1998, 0.6278, -0.0432]
# Adam 0.39768 [0.4649, 0.7812, -0.0019]
# AdamW 0.39758 [0.4632, 0.7781, -0.0013]
# RMSprop 1.77474 [0.0978, 0.412, -0.3728]
# Adagrad 0.86060 [0.2692, 0.5856, -0.1977]
# Adagrad (
# Parameter Group 0
#     differentiable: False
#     eps: 1e-10
#     foreach: None
#     fused: None
#     initial_accumulator_value: 0
#     lr: 0.1
#     lr_decay: 0
#     maximize: False
#     weight_decay: 0
# )
