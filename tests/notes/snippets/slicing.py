import torch

x = torch.arange(12).reshape(3, 4)
print(x[0])
print(x[:, 0])
print(x[-1], x[..., -1])
print(x[1:, 1:3])
print(x[::2], x[0][1], x[0, 1].item())
x[:, 1] = 0
print(x)
print(x[x > 5])
x[x > 8] = -1
print(x)
print(x[[0, 2], [1, 3]], x[torch.tensor([2, 0])])
print(x[None].shape, x[:, None, :].shape)
print(torch.where(x > 0, x, torch.zeros_like(x)))
print(torch.nonzero(x == 0), torch.masked_select(x, x < 0), torch.index_select(x, 0, torch.tensor([1])))

# Output:
# tensor([0, 1, 2, 3])
# tensor([0, 4, 8])
# tensor([ 8,  9, 10, 11]) tensor([ 3,  7, 11])
# tensor([[ 5,  6],
#         [ 9, 10]])
# tensor([[ 0,  1,  2,  3],
#         [ 8,  9, 10, 11]]) tensor(1) 1
# tensor([[ 0,  0,  2,  3],
#         [ 4,  0,  6,  7],
#         [ 8,  0, 10, 11]])
# tensor([ 6,  7,  8, 10, 11])
# tensor([[ 0,  0,  2,  3],
#         [ 4,  0,  6,  7],
#         [ 8,  0, -1, -1]])
# tensor([ 0, -1]) tensor([[ 8,  0, -1, -1],
#         [ 0,  0,  2,  3]])
# torch.Size([1, 3, 4]) torch.Size([3, 1, 4])
# tensor([[0, 0, 2, 3],
#         [4, 0, 6, 7],
#         [8, 0, 0, 0]])
# tensor([[0, 0],
#         [0, 1],
#         [1, 1],
#         [2, 1]]) tensor([-1, -1]) tensor([[4, 0, 6, 7]])
