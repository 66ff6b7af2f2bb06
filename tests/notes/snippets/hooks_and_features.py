import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
features = {}
handle = model[1].register_forward_hook(
    lambda module, inputs, output: features.update(relu=output.detach()))
model(torch.tensor([[1.0, -1.0]]))
print(features["relu"])
handle.remove()
x = torch.ones(1, 2, requires_grad=True)
x.register_hook(lambda gradient: print("gradient", gradient))
model(x).sum().backward()
print(list(model.children())[2], dict(model.named_modules()).keys())

# Output:
# tensor([[0.0000, 0.4991, 0.0000]])
# gradient tensor([[-0.0008,  0.0580]])
# Linear(in_features=3, out_features=1, bias=True) dict_keys(['', '0', '1', '2'])
