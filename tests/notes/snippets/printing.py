import torch

torch.set_printoptions(precision=2)
print(torch.tensor([1.23456, 1000.5]))
torch.set_printoptions(profile="default")
print(torch.arange(2000))
print(torch.ones(40, 40))
print(torch.tensor([1e-8, 1.0]), torch.tensor([1e10, 1.0]), torch.tensor([1, -200]))
print(torch.zeros(2, 0), torch.tensor([], dtype=torch.int64), torch.tensor(True))
print(torch.ones(2, requires_grad=True), f"{torch.tensor(3.14159):.2f}", str(torch.tensor(2)))
print(torch.tensor([1 + 2j]), torch.tensor([0.5], dtype=torch.float64), repr(torch.Size([2])))
print(torch.nn.Parameter(torch.ones(2)))

# Output:
# tensor([   1.23, 1000.50])
# tensor([   0,    1,    2,  ..., 1997, 1998, 1999])
# tensor([[1., 1., 1.,  ..., 1., 1., 1.],
#         [1., 1., 1.,  ..., 1., 1., 1.],
#         [1., 1., 1.,  ..., 1., 1., 1.],
#         ...,
#         [1., 1., 1.,  ..., 1., 1., 1.],
#         [1., 1., 1.,  ..., 1., 1., 1.],
#         [1., 1., 1.,  ..., 1., 1., 1.]])
# tensor([1.0000e-08, 1.0000e+00]) tensor([1.0000e+10, 1.0000e+00]) tensor([   1, -200])
# tensor([], size=(2, 0)) tensor([], dtype=torch.int64) tensor(True)
# tensor([1., 1.], requires_grad=True) 3.14 tensor(2)
# tensor([1.+2.j]) tensor([0.5000], dtype=torch.float64) torch.Size([2])
# Parameter containing:
# tensor([1., 1.], requires_grad=True)
