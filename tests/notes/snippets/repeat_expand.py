import torch

x = torch.tensor([[1, 2, 3]])
print(x.repeat(2, 1))
print(x.repeat(2, 2), x.repeat(2, 1, 2).shape)
print(x.expand(3, 3), x.expand(2, -1).stride())
print(torch.repeat_interleave(x, 2), x.repeat_interleave(torch.tensor([1, 0, 2]), dim=1))
print(torch.tile(x, (2,)), torch.broadcast_to(x, (2, 3)))
print((x + torch.tensor([[10], [20]])))

# Output:
# tensor([[1, 2, 3],
#         [1, 2, 3]])
# tensor([[1, 2, 3, 1, 2, 3],
#         [1, 2, 3, 1, 2, 3]]) torch.Size([2, 1, 6])
# tensor([[1, 2, 3],
#         [1, 2, 3],
#         [1, 2, 3]]) (0, 1)
# tensor([1, 1, 2, 2, 3, 3]) tensor([[1, 3, 3]])
# tensor([[1, 2, 3, 1, 2, 3]]) tensor([[1, 2, 3],
#         [1, 2, 3]])
# tensor([[11, 12, 13],
#         [21, 22, 23]])
