import torch, torch.nn as nn, torch.optim as optim
m=nn.Linear(2,1)
for O,kw in [(optim.SGD,dict(lr=0.1)),(optim.SGD,dict(lr=0.1,momentum=0.9,nesterov=True,weight_decay=0.01)),(optim.Adam,dict()),(optim.AdamW,dict(lr=0.01,amsgrad=True)),(optim.RMSprop,dict(centered=True,momentum=0.5)),(optim.Adagrad,dict()),(optim.Adadelta,{}),(optim.Adamax,{}),(optim.NAdam,{}),(optim.RAdam,{}),(optim.Rprop,{}),(optim.ASGD,{})]:
    torch.manual_seed(1); m=nn.Linear(2,1); o=O(m.parameters(),**kw)
    for _ in range(3): o.zero_grad(); m(torch.ones(3,2)).pow(2).sum().backward(); o.step()
    print(O.__name__, m.weight.data.tolist()[0][0].__round__(4), o)
print(o.state_dict().keys(), optim.SGD(m.parameters(),0.1).state_dict())
optim.SGD([],lr=0.1)
optim.SGD(m.parameters(),lr=-1)
optim.SGD(m.parameters(),lr=0.1,nesterov=True)
optim.Adam(m.parameters(),betas=(1.5,0.9))
optim.SGD(torch.ones(2),lr=0.1)
optim.SGD([1,2],lr=0.1)
optim.SGD([torch.ones(2,requires_grad=True)*2],lr=0.1)
o=optim.SGD([{'params':m.weight,'lr':1.},{'params':[m.bias]}],lr=0.1,momentum=0.9); print(o); o.add_param_group({'params':nn.Parameter(torch.ones(1))}); print(len(o.param_groups))
o.add_param_group({'params':m.weight})
for g in o.param_groups: g['lr']*=0.5
print([g['lr'] for g in o.param_groups])
o2=optim.Adam(m.parameters()); o2.load_state_dict(optim.Adam(m.parameters(),lr=5.).state_dict()); print(o2.param_groups[0]['lr'])
o2.load_state_dict(o.state_dict())
def closure():
    o2.zero_grad(); l=m(torch.ones(1,2)).sum(); l.backward(); return l
print(o2.step(closure))
for S,kw in [('StepLR',dict(step_size=2)),('MultiStepLR',dict(milestones=[1,3])),('ExponentialLR',dict(gamma=0.9)),('CosineAnnealingLR',dict(T_max=4)),('LambdaLR',dict(lr_lambda=lambda e:0.95**e)),('LinearLR',dict(total_iters=3)),('ConstantLR',dict(total_iters=2)),('PolynomialLR',dict(total_iters=4)),('CosineAnnealingWarmRestarts',dict(T_0=2)),('CyclicLR',dict(base_lr=0.01,max_lr=0.1,step_size_up=2)),('OneCycleLR',dict(max_lr=0.1,total_steps=10)),('MultiplicativeLR',dict(lr_lambda=lambda e:0.9))]:
    o=optim.SGD(m.parameters(),lr=0.1,momentum=0.9); s=getattr(optim.lr_scheduler,S)(o,**kw); l=[]
    for _ in range(6): o.step(); s.step(); l.append(round(s.get_last_lr()[0],6))
    print(S,l,o.param_groups[0]['lr'])
o=optim.SGD(m.parameters(),lr=0.1); s=optim.lr_scheduler.ReduceLROnPlateau(o,patience=1)
for v in [1,1,1,1,0.5]: s.step(v); print(o.param_groups[0]['lr'])
s.step()
o=optim.SGD(m.parameters(),lr=0.1); s=optim.lr_scheduler.SequentialLR(o,[optim.lr_scheduler.ConstantLR(o,0.1,2),optim.lr_scheduler.ExponentialLR(o,0.9)],[2])
for _ in range(4): o.step(); s.step(); print(round(o.param_groups[0]['lr'],5))
optim.lr_scheduler.StepLR(m,1)
optim.lr_scheduler.StepLR(o,step_size=1).load_state_dict(s.state_dict()) if False else None
print(optim.lr_scheduler.StepLR(o,step_size=1).state_dict())
print(nn.utils.clip_grad_norm_(m.parameters(),1.), nn.utils.clip_grad_value_(m.parameters(),0.1), m.weight.grad)
nn.utils.clip_grad_norm_([torch.ones(1)],1.)
print(nn.utils.parameters_to_vector(m.parameters()))
o.step(); o.zero_grad(set_to_none=False); print(m.weight.grad); o.zero_grad(); print(m.weight.grad)
l=optim.LBFGS(m.parameters(),max_iter=2)
l.step()
print(optim.swa_utils.AveragedModel(m).module.weight.shape)
