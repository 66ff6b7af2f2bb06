import torch
x=torch.arange(6).reshape(2,3)
print(torch.where(x>2), torch.where(x>2,x,0), torch.where(x>2,1.,0.), torch.where(x>2, x, torch.tensor(0)), torch.where(x>2,x.float(),0.), x.where(x>2,-1))
torch.where(x, x, x)
print(torch.where(torch.tensor(True)), torch.where(torch.tensor([1,0,2])))
i,j=torch.where(x==4); print(i,j)
