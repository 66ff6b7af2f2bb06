import torch

x = torch.tensor([[1.0, -2.0, 3.0], [4.0, 0.5, -6.0]])
print(x.sum(), x.sum().item(), x.mean(dim=0), x.mean(1, keepdim=True))
print(x.max(), x.argmax(), x.argmax(dim=1), x.min(0))
values, indices = torch.max(x, 1)
print(values, indices)
print(x.std(), x.var(unbiased=False), x.norm(), x.prod())
print(x.abs(), x.exp(), torch.sigmoid(x), x ** 2, x // 2, x.abs() % 2)
print(torch.sort(x, descending=True), x.topk(2, dim=1))
print((x > 0).sum(), (x > 0).any(), (x > 10).all(), x.cumsum(0))
print(torch.allclose(x, x + 1e-9), torch.clamp(x, 0, 1), torch.round(x * 1.3), x.floor())

# Output:
# tensor(0.5000) 0.5 tensor([ 2.5000, -0.7500, -1.5000]) tensor([[ 0.6667],
#         [-0.5000]])
# tensor(4.) tensor(3) tensor([2, 0]) torch.return_types.min(
# values=tensor([ 1., -2., -6.]),
# indices=tensor([0, 0, 1]))
# tensor([3., 4.]) tensor([2, 0])
# tensor(3.6389) tensor(11.0347) tensor(8.1394) tensor(72.)
# tensor([[1.0000, 2.0000, 3.0000],
#         [4.0000, 0.5000, 6.0000]]) tensor([[2.7183e+00, 1.3534e-01, 2.0086e+01],
#         [5.4598e+01, 1.6487e+00, 2.4788e-03]]) tensor([[0.7311, 0.1192, 0.9526],
#         [0.9820, 0.6225, 0.0025]]) tensor([[ 1.0000,  4.0000,  9.0000],
#         [16.0000,  0.2500, 36.0000]]) tensor([[ 0., -1.,  1.],
#         [ 2.,  0., -3.]]) tensor([[1.0000, 0.0000, 1.0000],
#         [0.0000, 0.5000, 0.0000]])
# torch.return_types.sort(
# values=tensor([[ 3.0000,  1.0000, -2.0000],
#         [ 4.0000,  0.5000, -6.0000]]),
# indices=tensor([[2, 0, 1],
#         [0, 1, 2]])) torch.return_types.topk(
# values=tensor([[3.0000, 1.0000],
#         [4.0000, 0.5000]]),
# indices=tensor([[2, 0],
#         [0, 1]]))
# tensor(4) tensor(True) tensor(False) tensor([[ 1.0000, -2.0000,  3.0000],
#         [ 5.0000, -1.5000, -3.0000]])
# True tensor([[1.0000, 0.0000, 1.0000],
#         [1.0000, 0.5000, 0.0000]]) tensor([[ 1., -3.,  4.],
#         [ 5.,  1., -8.]]) tensor([[ 1., -2.,  3.],
#         [ 4.,  0., -6.]])
