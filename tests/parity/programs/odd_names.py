import torch, numpy as np
x=torch.tensor([1.,-2.,3.])
print(torch.clip(x,0,1), x.clip(max=2), x.clone().clip_(-1,1), torch.arcsin_(torch.zeros(1)), torch.negative_(torch.ones(1)), torch.range(0,3), torch.range(1,2,0.5))
print(x.is_cpu, x.is_same_size(x), torch.is_same_size(x,x), torch.tensor([1]).is_nonzero(), x.clone().apply_(lambda v:v*2), x.clone().map_(x,lambda a,b:a+b), x.dim_order(), torch.ones(2,3).t().dim_order(), x.to_dense(), torch.is_conj(x), x.is_neg(), torch.get_device(x))
print(np.from_dlpack(x), torch.from_dlpack(x), torch.from_dlpack(np.ones(2)), torch.from_dlpack(torch.utils.dlpack.to_dlpack(x)) if False else '')
a=np.ones(2); t=torch.from_dlpack(a); a[0]=5; print(t)
print(x.hardshrink(), x.prelu(torch.tensor([0.1])), torch.frobenius_norm(x,0), torch.nuclear_norm(torch.eye(2)), x.is_set_to(x), torch.is_signed(x), torch.are_deterministic_algorithms_enabled(), torch.is_anomaly_enabled())
y=torch.ones(1,requires_grad=True)*2; print(y.retains_grad); y.retain_grad(); print(y.retains_grad)
