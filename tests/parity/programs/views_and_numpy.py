import torch
x = torch.arange(24.).reshape(2, 3, 4)
for view in (x.permute(2, 0, 1), x.transpose(0, 2).unfold(0, 2, 1), x[0].t().unfold(0, 2, 2), x.diagonal(0, 1, 2), x.transpose(0, 2).diagonal(0, 0, 1), x[0].t().diagonal(1), x[:, ::2], x[0].t()[1:], x.expand(5, 2, 3, 4), x.transpose(0, 1).unsqueeze(1), x.chunk(2, 2)[1], x.unbind(1)[1], x.mT, x.as_strided((2, 2), (1, 2)), x.transpose(0, 1)[1:].diagonal(0, 0, 2), x.transpose(0, 2).diagonal(-1, 2, 0)): print(view.shape, view.stride(), view.is_contiguous(), view.storage_offset())
d = x.transpose(0, 2).diagonal(0, 0, 1)
d.mul_(10)
print(x)
n = x.permute(2, 0, 1).unfold(0, 2, 1).numpy()
n[0, 0, 0, 0] = -5
print(n.shape, n.strides, x[0, 0, 0])
m = x[0].diagonal().numpy()
m[:] = 7
print(x[0])
u = x[0].t().unfold(0, 2, 2)
u[0, 0, 1] = 77
print(x[0])
x.permute(2, 0, 1).view(-1)
x[0].t().diagonal().view(2, 2)
