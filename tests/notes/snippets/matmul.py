import torch

tensor = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
y1 = tensor @ tensor.T
y2 = tensor.matmul(tensor.T)
y3 = torch.rand_like(y1)
torch.matmul(tensor, tensor.T, out=y3)
print(y1, torch.equal(y1, y2), torch.equal(y1, y3))
z1 = tensor * tensor
z2 = tensor.mul(tensor)
z3 = torch.rand_like(tensor)
torch.mul(tensor, tensor, out=z3)
print(z1, torch.equal(z1, z2), torch.equal(z1, z3))
print(torch.mm(tensor, tensor), torch.dot(tensor[0], tensor[1]), tensor.mv(tensor[0]))
batch = torch.arange(12.0).reshape(2, 2, 3)
print(torch.bmm(batch, batch.transpose(1, 2)))
print(torch.einsum("bij,bkj->bik", batch, batch).shape)

# Output:
# tensor([[ 5., 11.],
#         [11., 25.]]) True True
# tensor([[ 1.,  4.],
#         [ 9., 16.]]) True True
# tensor([[ 7., 10.],
#         [15., 22.]]) tensor(11.) tensor([ 5., 11.])
# tensor([[[  5.,  14.],
#          [ 14.,  50.]],
# 
#         [[149., 212.],
#          [212., 302.]]])
# torch.Size([2, 2, 2])
