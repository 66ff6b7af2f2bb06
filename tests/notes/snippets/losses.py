import torch
from torch import nn

inputs = torch.tensor([1, 2, 3], dtype=torch.float32).reshape(1, 1, 1, 3)
targets = torch.tensor([1, 2, 5], dtype=torch.float32).reshape(1, 1, 1, 3)
print(nn.L1Loss(reduction="sum")(inputs, targets), nn.L1Loss()(inputs, targets))
print(nn.MSELoss()(inputs, targets), nn.SmoothL1Loss()(inputs, targets))
x = torch.tensor([0.1, 0.2, 0.3]).reshape(1, 3)
y = torch.tensor([1])
print(nn.CrossEntropyLoss()(x, y))
print(nn.CrossEntropyLoss(label_smoothing=0.1)(x, y), nn.NLLLoss()(x.log_softmax(1), y))
print(nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]), reduction="none")(
    x.repeat(2, 1), torch.tensor([0, 2])))
p = torch.tensor([0.2, 0.9])
t = torch.tensor([0.0, 1.0])
print(nn.BCELoss()(p, t), nn.BCEWithLogitsLoss()(p, t))
print(nn.KLDivLoss(reduction="batchmean")(x.log_softmax(1), torch.full((1, 3), 1 / 3)))

# Output:
# tensor(2.) tensor(0.6667)
# tensor(1.3333) tensor(0.5000)
# tensor(1.1019)
# tensor(1.1019) tensor(1.1019)
# tensor([1.2019, 3.0058])
# tensor(0.1643) tensor(0.5696)
# tensor(0.0033)
