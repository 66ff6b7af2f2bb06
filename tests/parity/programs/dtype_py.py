import torch
print(torch.zeros(2,dtype=float), torch.ones(2,dtype=int), torch.full((2,),1,dtype=bool), torch.tensor([1,2],dtype=float), torch.arange(3,dtype=float), torch.rand(2,dtype=float), torch.ones(2).to(int), torch.ones(2).to(dtype=float), torch.ones(3).sum(dtype=float), torch.eye(2,dtype=int), torch.zeros_like(torch.ones(2),dtype=int), torch.as_tensor([1],dtype=float), torch.tensor([1],dtype=complex), torch.softmax(torch.ones(2),0,dtype=float), torch.ones(2).new_zeros(2,dtype=int))
torch.zeros(2,dtype=str)
torch.tensor([1],dtype='float32')
torch.zeros(2,dtype=list)
torch.ones(2).to('float32')
print(torch.iinfo(torch.int64), torch.iinfo(torch.uint8))
