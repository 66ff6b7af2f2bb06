import torch
class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): y = x.exp(); ctx.save_for_backward(y); return y
    @staticmethod
    def backward(ctx, g): y, = ctx.saved_tensors; return g*y
class Square(torch.autograd.Function):
    @staticmethod
    def forward(x): return x*x
    @staticmethod
    def setup_context(ctx, inputs, output): ctx.save_for_backward(*inputs)
    @staticmethod
    def backward(ctx, g): x, = ctx.saved_tensors; return 2*g*x
class InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): x.exp_(); ctx.mark_dirty(x); ctx.save_for_backward(x, None); return x
    @staticmethod
    def backward(ctx, g): y, nothing = ctx.saved_tensors; print(nothing); return g*y
t = torch.tensor([1., 2.], requires_grad=True)
y = Exp.apply(t); g, = torch.autograd.grad(y.sum(), t, create_graph=True); print(g, torch.autograd.grad(g.sum(), t))
d = torch.tensor([1., 2.], dtype=torch.float64, requires_grad=True)
print(torch.autograd.gradcheck(Exp.apply, (d,)), torch.autograd.gradgradcheck(Exp.apply, (d,)), torch.autograd.gradgradcheck(Square.apply, (d,)))
y = Exp.apply(t); y.add_(1); y.sum().backward()
u = t*1; y = Square.apply(u); u.add_(1); y.sum().backward()
u = t*1; y = Square.apply(u); v = u.view(2); v.mul_(3)
try: y.sum().backward()
except RuntimeError as error: print("at version 1; expected version 0" in str(error))
u = t*1; y = Square.apply(u); u.detach().numpy(); y.sum().backward(); print(t.grad)
u = t*1; y = InPlace.apply(u); g, = torch.autograd.grad(y.sum(), t, create_graph=True); print(g, torch.autograd.grad(g.sum(), t))
y = Exp.apply(t); print(f"{y.sum().item():.4f}"); g, = torch.autograd.grad(y.sum(), t, create_graph=True); t.grad = None; g.sum().backward(); print(t.grad)
y = Exp.apply(t); y.sum().backward(retain_graph=True); t.grad = None; y.sum().backward(); print(t.grad)
y.sum().backward()
y = Square.apply(t); y.sum().backward(retain_graph=True)
with torch.no_grad(): t -= 0.1
y.sum().backward()
Exp()
Exp()(t)
