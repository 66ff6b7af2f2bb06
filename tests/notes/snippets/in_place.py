import torch

t = torch.ones(2, 3)
print(f"{t}\n")
t.add_(5)
print(t)
u = t
t -= 1
t *= 2
print(u, u is t)
t.zero_()
t[0].fill_(3)
print(t, t.copy_(torch.arange(3.0)))
row = t[1]
row.mul_(10)
print(t)
print(t.clamp_(max=5), t.sub_(1).abs_().sqrt_())

# Output:
# tensor([[1., 1., 1.],
#         [1., 1., 1.]])
# 
# tensor([[6., 6., 6.],
#         [6., 6., 6.]])
# tensor([[10., 10., 10.],
#         [10., 10., 10.]]) True
# tensor([[0., 1., 2.],
#         [0., 1., 2.]]) tensor([[0., 1., 2.],
#         [0., 1., 2.]])
# tensor([[ 0.,  1.,  2.],
#         [ 0., 10., 20.]])
# tensor([[1., 0., 1.],
#         [1., 2., 2.]]) tensor([[1., 0., 1.],
#         [1., 2., 2.]])
