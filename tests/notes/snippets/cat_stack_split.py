import torch

a = torch.arange(6).reshape(2, 3)
b = a + 10
print(torch.cat([a, b]))
print(torch.cat((a, b), dim=1), torch.cat([a, b], -1).shape)
print(torch.stack([a, b]).shape, torch.stack([a, b], dim=2))
for part in torch.split(torch.arange(7), 3):
    print(part)
print(torch.chunk(torch.arange(6), 3))
print(torch.unbind(a))
print(torch.hstack((a, b)).shape, torch.vstack((a, b)).shape)

# Output:
# tensor([[ 0,  1,  2],
#         [ 3,  4,  5],
#         [10, 11, 12],
#         [13, 14, 15]])
# tensor([[ 0,  1,  2, 10, 11, 12],
#         [ 3,  4,  5, 13, 14, 15]]) torch.Size([2, 6])
# torch.Size([2, 2, 3]) tensor([[[ 0, 10],
#          [ 1, 11],
#          [ 2, 12]],
# 
#         [[ 3, 13],
#          [ 4, 14],
#          [ 5, 15]]])
# tensor([0, 1, 2])
# tensor([3, 4, 5])
# tensor([6])
# (tensor([0, 1]), tensor([2, 3]), tensor([4, 5]))
# (tensor([0, 1, 2]), tensor([3, 4, 5]))
# torch.Size([2, 6]) torch.Size([4, 3])
