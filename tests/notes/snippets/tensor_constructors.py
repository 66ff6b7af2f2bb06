import torch

print(torch.zeros(2, 3))
print(torch.ones((2, 2), dtype=torch.int32))
print(torch.full((2, 2), 7.5))
print(torch.eye(3))
print(torch.arange(0, 10, 3), torch.arange(1.0, 2.0, 0.25))
print(torch.linspace(0, 1, 5))
print(torch.empty(2, 3).shape, torch.empty(0))
a = torch.ones(2, 3)
print(torch.zeros_like(a), torch.ones_like(a, dtype=torch.int64), torch.full_like(a, 2))
print(torch.logspace(0, 2, 3))

# Output:
# tensor([[0., 0., 0.],
#         [0., 0., 0.]])
# tensor([[1, 1],
#         [1, 1]], dtype=torch.int32)
# tensor([[7.5000, 7.5000],
#         [7.5000, 7.5000]])
# tensor([[1., 0., 0.],
#         [0., 1., 0.],
#         [0., 0., 1.]])
# tensor([0, 3, 6, 9]) tensor([1.0000, 1.2500, 1.5000, 1.7500])
# tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
# torch.Size([2, 3]) tensor([])
# tensor([[0., 0., 0.],
#         [0., 0., 0.]]) tensor([[1, 1, 1],
#         [1, 1, 1]]) tensor([[2., 2., 2.],
#         [2., 2., 2.]])
# tensor([  1.,  10., 100.])
