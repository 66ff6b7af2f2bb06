import torch

torch.manual_seed(0)
print(torch.rand(2, 3))
print(torch.randn(2, 3))
print(torch.randint(0, 10, (2, 4)))
print(torch.randperm(8))
print(torch.rand_like(torch.ones(2)))
print(torch.normal(0.0, 1.0, (2, 2)))
print(torch.bernoulli(torch.full((5,), 0.5)))
print(torch.multinomial(torch.tensor([0.1, 0.2, 0.7]), 5, replacement=True))
torch.manual_seed(0)
print(torch.rand(2))

# Output:
# tensor([[0.4963, 0.7682, 0.0885],
#         [0.1320, 0.3074, 0.6341]])
# tensor([[ 1.2645, -0.6874,  0.1604],
#         [-0.6065, -0.7831,  1.0622]])
# tensor([[4, 3, 6, 9],
#         [1, 4, 4, 1]])
# tensor([5, 4, 0, 3, 2, 1, 7, 6])
# tensor([0.2698, 0.1507])
# tensor([[-0.0254,  1.0739],
#         [ 2.2628, -0.9175]])
# tensor([1., 1., 1., 0., 0.])
# tensor([1, 2, 2, 2, 2])
# tensor([0.4963, 0.7682])
