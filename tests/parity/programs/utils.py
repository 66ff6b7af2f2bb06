import torch, torch.nn as nn, torch.nn.utils.prune as prune
from torch.nn.utils import *
l=nn.Linear(2,2); prune.l1_unstructured(l,'weight',0.5); print(l.weight_mask, list(dict(l.named_parameters())), list(dict(l.named_buffers()))); prune.remove(l,'weight'); print((l.weight==0).sum())
w=weight_norm(nn.Linear(2,3)); print(w.weight_g.shape, [n for n,_ in w.named_parameters()])
s=spectral_norm(nn.Linear(2,3)); print(s.weight.shape)
p=nn.utils.parametrizations.weight_norm(nn.Linear(2,2)); print(p, [n for n,_ in p.named_parameters()])
print(rnn.pad_sequence([torch.ones(2),torch.ones(3)],batch_first=True), rnn.pad_sequence([torch.ones(2),torch.ones(3)],padding_value=-1), rnn.pack_sequence([torch.tensor([1,2]),torch.tensor([3])]))
print(parameters_to_vector(nn.Linear(1,1).parameters()).shape)
class Sym(nn.Module):
    def forward(self,X): return X.triu()+X.triu(1).transpose(-1,-2)
q=nn.Linear(2,2); nn.utils.parametrize.register_parametrization(q,'weight',Sym()); print(torch.equal(q.weight,q.weight.T), q)
print(nn.utils.stateless.functional_call(nn.Linear(1,1),{'weight':torch.ones(1,1),'bias':torch.zeros(1)},torch.ones(1,1)) if hasattr(nn.utils.stateless,'functional_call') else '')
print(torch.func.functional_call(nn.Linear(1,1),{'weight':torch.ones(1,1),'bias':torch.zeros(1)},torch.ones(1,1)))
from torch.utils.data import get_worker_info; print(get_worker_info())
from torch.utils.benchmark import Timer; print(type(Timer('1+1').timeit(1)).__name__)
print(torch.nn.utils.clip_grad_norm_(nn.Linear(1,1).parameters(),1))
