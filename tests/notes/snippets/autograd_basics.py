import torch

x = torch.ones(5)
y = torch.zeros(3)
torch.manual_seed(1)
w = torch.randn(5, 3, requires_grad=True)
b = torch.randn(3, requires_grad=True)
z = torch.matmul(x, w) + b
loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
print(z.grad_fn is not None, loss.requires_grad)
loss.backward()
print(w.grad)
print(b.grad)
z = torch.matmul(x, w) + b
print(z.requires_grad)
with torch.no_grad():
    z = torch.matmul(x, w) + b
print(z.requires_grad, z.detach().requires_grad)

# Output:
# True True
# tensor([[0.1083, 0.0369, 0.0726],
#         [0.1083, 0.0369, 0.0726],
#         [0.1083, 0.0369, 0.0726],
#         [0.1083, 0.0369, 0.0726],
#         [0.1083, 0.0369, 0.0726]])
# tensor([0.1083, 0.0369, 0.0726])
# True
# False False
