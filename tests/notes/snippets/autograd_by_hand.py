import torch

torch.manual_seed(0)
x = torch.linspace(-1, 1, 50)
y = 3 * x + 0.5
w = torch.zeros(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for epoch in range(100):
    loss = ((w * x + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.3 * w.grad
        b -= 0.3 * b.grad
        w.grad.zero_()
        b.grad.zero_()
    if epoch % 25 == 0:
        print(f"epoch {epoch}: loss {loss.item():.4f}")
print(f"{w.item():.3f} {b.item():.3f}")
print(torch.autograd.grad((w ** 3).sum(), w))

# Output:
# epoch 0: loss 3.3724
# epoch 25: loss 0.0000
# epoch 50: loss 0.0000
# epoch 75: loss 0.0000
# 3.000 0.500
# (tensor([27.0000]),)
