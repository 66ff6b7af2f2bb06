import torch

x = torch.tensor([2.0, 3.0], requires_grad=True)
y = (x ** 2).sum()
y.backward()
print(x.grad)
(x * 3).sum().backward()
print(x.grad)
x.grad.zero_()
print(x.grad)
out = (x + 1).pow(2)
out.backward(torch.ones_like(out), retain_graph=True)
print(f"First call\n{x.grad}")
out.backward(torch.ones_like(out), retain_graph=True)
print(f"Second call\n{x.grad}")
x.grad = None
print(x.grad, x.is_leaf, out.is_leaf)
try:
    loss = (x * 2).pow(2).sum()
    loss.backward()
    loss.backward()
except RuntimeError as error:
    print(type(error).__name__, str(error)[:59])

# Output:
# tensor([4., 6.])
# tensor([7., 9.])
# tensor([0., 0.])
# First call
# tensor([6., 8.])
# Second call
# tensor([12., 16.])
# None True False
# RuntimeError Trying to backward through the graph a second time (or dire
