import torch, torch.nn as nn, torch.nn.functional as F
m=nn.Sequential(nn.Linear(2,3),nn.ReLU(),nn.Linear(3,1))
log=[]
h1=m[0].register_forward_pre_hook(lambda mod,i: log.append(('pre',i[0].shape)))
h2=m[0].register_forward_hook(lambda mod,i,o: o*2)
h3=m[2].register_full_backward_hook(lambda mod,gi,go: log.append(('bw',[None if g is None else tuple(g.shape) for g in gi],[tuple(g.shape) for g in go])))
m(torch.ones(4,2)).sum().backward(); print(log); h1.remove(); h2.remove(); h3.remove()
acts={}
def save(name):
    def hook(mod,i,o): acts[name]=o.detach()
    return hook
for n,l in m.named_children(): l.register_forward_hook(save(n))
m(torch.ones(1,2)); print({k:tuple(v.shape) for k,v in acts.items()})
class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx,i,k): r=i.exp()*k; ctx.save_for_backward(r); ctx.k=k; return r
    @staticmethod
    def backward(ctx,g): r,=ctx.saved_tensors; return g*r, None
x=torch.tensor([0.,1.],requires_grad=True); y=Exp.apply(x,2.); y.sum().backward(); print(y,x.grad)
class Bad(torch.autograd.Function):
    @staticmethod
    def forward(ctx,i): return i*2
    @staticmethod
    def backward(ctx,g): return g,g
Bad.apply(x).sum().backward()
print(torch.autograd.gradcheck(lambda t:(t**3).sum(), torch.ones(2,dtype=torch.double,requires_grad=True)))
print(torch.autograd.grad(x.sum()*2,[x]), torch.autograd.grad(outputs=(x*x),inputs=x,grad_outputs=torch.ones(2)))
w=torch.randn(2,2,requires_grad=True); l=(w@w).sum(); l.backward(); print(w.grad.shape)
w.grad=None; (w*w).sum().backward(inputs=[w]); print(w.grad.equal(2*w))
z=torch.zeros(2,requires_grad=True); z2=z.clone(); z2[0]=3; z2.sum().backward(); print(z.grad)
a=torch.ones(2,requires_grad=True); b=a.detach(); b[0]=5; print(a)
c=torch.ones(3,requires_grad=True); d=c[1:]*2; d.sum().backward(); print(c.grad)
e=torch.rand(3,requires_grad=True); torch.max(e).backward(); print((e.grad>0).sum())
s=torch.tensor([1.,2.,3.],requires_grad=True); s.prod().backward(); print(s.grad)
s.grad=None; s.cumsum(0).sum().backward(); print(s.grad); s.grad=None; s.sort()[0][0].backward(); print(s.grad)
s.grad=None; torch.where(s>1.5,s,torch.zeros(3)).sum().backward(); print(s.grad)
s.grad=None; s[s>1].sum().backward(); print(s.grad); s.grad=None; s.index_select(0,torch.tensor([0,0])).sum().backward(); print(s.grad)
s.grad=None; F.softmax(s,0)[0].backward(); print(s.grad); s.grad=None; s.norm().backward(); print(s.grad)
s.grad=torch.ones(2)
s.grad=torch.ones(3); print(s.grad)
del s.grad; print(s.grad)
print(torch.autograd.functional.hessian(lambda t:(t**3).sum(), torch.tensor([1.,2.])), torch.autograd.functional.vjp(lambda t:t*2, torch.ones(2), torch.ones(2))[1])
from torch.utils.checkpoint import checkpoint
print(checkpoint(m,torch.ones(1,2),use_reentrant=False).shape)
