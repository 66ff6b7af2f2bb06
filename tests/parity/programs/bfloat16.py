import torch
x = torch.randn(3, 4).bfloat16()
print(x.masked_select(x > 0), x[x > 0], torch.unique(x), torch.unique(x, dim=0))
print(torch.unique_consecutive(torch.tensor([1., 1, -2, -2]).bfloat16(), return_counts=True), torch.unique(torch.tensor([1., -1., 1.]).bfloat16(), return_inverse=True, return_counts=True))
print(x.nonzero().shape, torch.isin(x, x[0]), torch.bucketize(x, torch.tensor([-1., 0., 1.]).bfloat16()), torch.searchsorted(torch.tensor([-1., 0., 1.]).bfloat16(), x))
print(x.masked_scatter(x > 0, torch.ones(12).bfloat16()), torch.index_put(x, (torch.tensor([0]),), torch.tensor(1.).bfloat16()))
print(torch.nn.functional.rrelu(x, training=True).shape, torch.nn.MultiheadAttention(4, 2).bfloat16()(x[None], x[None], x[None])[0].shape)
print(x.T.reshape(-1).shape, x.t().stride(), x.tolist(), x.median(), x.topk(2), x.kthvalue(1), x.std(), x.cumsum(0), x.max(1), x.argmax(), x.flip(0))
print(x.repeat_interleave(torch.tensor([1, 2, 0]), 0), x.view(torch.int16)[0], torch.randn(2, dtype=torch.bfloat16), torch.linspace(0, 1, 3, dtype=torch.bfloat16))
