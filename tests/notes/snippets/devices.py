import torch

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print(device, torch.cuda.is_available(), torch.cuda.device_count())
x = torch.ones(2, device=device)
y = torch.ones_like(x).to(device)
print((x + y).to("cpu", torch.double), x.device.type, x.is_cuda)
model = torch.nn.Linear(2, 1).to(device)
print(next(model.parameters()).device)
if torch.cuda.is_available():
    model = model.cuda()
print(torch.device("cuda:1"), torch.device("cpu") == x.device)

# Output:
# cpu False 0
# tensor([2., 2.], dtype=torch.float64) cpu False
# cpu
# cuda:1 True
