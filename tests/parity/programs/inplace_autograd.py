import torch
x=torch.ones(2,requires_grad=True)
x+=1
x[0]=1
y=x*2; y+=1; y.sum().backward(); print(x.grad)
y.sum().backward()
x.grad.zero_(); print(x.grad)
x.grad=None; print(x.grad)
z=(x**2).sum(); z.backward(retain_graph=True); z.backward(); print(x.grad)
with torch.no_grad(): x-=0.1*x.grad
print(x)
print(x.requires_grad,(x*2).requires_grad,x.detach().requires_grad,x.is_leaf,(x*2).is_leaf)
x.numpy()
print(x.detach().numpy(), x.data)
(x*2).backward()
torch.ones(2).sum().backward()
a=torch.tensor([1.,2.],requires_grad=True); b=a.exp(); b.retain_grad(); b.sum().backward(); print(b.grad,a.grad)
c=a.exp(); c.add_(1); c.sum().backward()
d=a.sigmoid(); d.mul_(2); d.sum().backward()
torch.autograd.grad((a**3).sum(),torch.ones(2,requires_grad=True))
print(torch.autograd.grad((a**3).sum(),torch.ones(2,requires_grad=True),allow_unused=True))
g,=torch.autograd.grad((a**3).sum(),a,create_graph=True); print(torch.autograd.grad(g.sum(),a))
h=a.register_hook(lambda g: g*10); a.grad=None; (a*a).sum().backward(); print(a.grad); h.remove()
torch.tensor([1,2],requires_grad=True)
e=torch.ones(2); e.requires_grad_(); print(e); e.requires_grad=False; print(e)
f=(e.requires_grad_()*2); f.requires_grad=False
print(torch.autograd.functional.jacobian(lambda t:t**2, torch.tensor([1.,2.])))
class Sq(torch.autograd.Function):
    @staticmethod
    def forward(ctx,x):
        ctx.save_for_backward(x); return x*x
    @staticmethod
    def backward(ctx,g):
        x,=ctx.saved_tensors; return 2*x*g
q=Sq.apply(a); a.grad=None; q.sum().backward(); print(q,a.grad)
with torch.set_grad_enabled(False): print((a*2).requires_grad)
@torch.no_grad()
def fn(t): return t*2
print(fn(a).requires_grad)
print(a.grad_fn, (a*2).grad_fn is not None, torch.is_grad_enabled())
w=torch.randn(3,requires_grad=True); (w.sum()*2).backward(); w.grad.data.zero_(); print(w.grad)
w.data[0]=5.; print(w)
w.data=torch.zeros(3); print(w)
