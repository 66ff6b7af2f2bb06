import torch

x = torch.zeros(2, 1, 3, 1)
print(x.squeeze().shape, x.squeeze(1).shape, x.squeeze(0).shape, x.squeeze(-1).size())
y = torch.tensor([1, 2, 3])
print(y.unsqueeze(0), y.unsqueeze(1), y.unsqueeze(-1).shape)
print(x.view(6).shape, x.view(2, -1).shape, x.reshape(3, 2).shape, x.flatten().shape)
print(torch.flatten(x, 1).shape, x.permute(3, 1, 0, 2).shape, x.transpose(0, 2).shape)
print(y.t(), torch.arange(6).view(2, 3).t())
y.unsqueeze_(0)
print(y.shape)

# Output:
# torch.Size([2, 3]) torch.Size([2, 3, 1]) torch.Size([2, 1, 3, 1]) torch.Size([2, 1, 3])
# tensor([[1, 2, 3]]) tensor([[1],
#         [2],
#         [3]]) torch.Size([3, 1])
# torch.Size([6]) torch.Size([2, 3]) torch.Size([3, 2]) torch.Size([6])
# torch.Size([2, 3]) torch.Size([1, 1, 2, 3]) torch.Size([3, 1, 2, 1])
# tensor([1, 2, 3]) tensor([[0, 3],
#         [1, 4],
#         [2, 5]])
# torch.Size([1, 3])
