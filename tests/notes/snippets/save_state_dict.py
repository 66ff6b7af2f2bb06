import os
import tempfile

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model_weights.pth")
    torch.save(model.state_dict(), path)
    again = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    print(again.load_state_dict(torch.load(path)))
    print(torch.equal(model(torch.ones(1, 2)), again(torch.ones(1, 2))))
    checkpoint = {"epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                  "loss": 0.25}
    torch.save(checkpoint, path)
    loaded = torch.load(path, map_location="cpu")
    print(loaded["epoch"], loaded["loss"], list(loaded["model"]))
    optimizer.load_state_dict(loaded["optimizer"])
    print(optimizer.state_dict()["state"][0]["momentum_buffer"].shape)
    try:
        nn.Linear(2, 2).load_state_dict(loaded["model"])
    except RuntimeError as error:
        print(str(error).split("\tsize")[0].split("\tClosest")[0].rstrip())

# Output:
# <All keys matched successfully>
# True
# 3 0.25 ['0.weight', '0.bias', '2.weight', '2.bias']
# torch.Size([3, 2])
# Error(s) in loading state_dict for Linear:
# 	Missing key(s) in state_dict: "weight", "bias". 
# 	Unexpected key(s) in state_dict: "0.weight", "0.bias", "2.weight", "2.bias".
