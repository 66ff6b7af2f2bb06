import torch
x = torch.arange(12.).reshape(3,4)
x[0] = 9
print(x)
x[:,1] = torch.tensor([7.,8.,9.])
print(x)
x[x>8] = -1
print(x)
x[1:,2:] = torch.zeros(2,2)
print(x)
x[[0,2]] = 5
print(x)
x[torch.tensor([0,1]), torch.tensor([1,2])] += 10
print(x)
x[..., -1] = x[..., 0]
print(x)
x[None, 0] *= 2
print(x)
x[:, [1,3]] = x[:, [3,1]]
print(x)
x[1] = [1,2,3,4]
print(x)
x[0, :] = torch.tensor([1,2,3,4])
print(x)
x[5] = 1
x[0, 0, 0] = 1
x[:, 0] = torch.zeros(5)
x['a']
x[1.5]
x[::2] = 3
print(x)
x[::-1]
x[True] = 0
print(x)
m = torch.zeros(3,4,dtype=torch.bool); m[0,0]=True; m[2]=True
x[m] = torch.arange(5.)
print(x, x[m])
print(x[m.nonzero(as_tuple=True)])
print(x[0:0].shape, x[:, None, :].shape, x[..., None].shape)
print(x.take(torch.tensor([0,5])), x.put_(torch.tensor([1,2]), torch.tensor([9.,10.])))
x[[True,False,True]]
print(x[[True,False,True]])
print(x[torch.tensor(1)], x[torch.tensor(1), torch.tensor(2)], x[(1,2)])
print(x[range(2)])
import numpy as np
print(x[np.array([0,2])], x[np.int64(1)])
x[np.array([0,1]), np.array([0,1])] = torch.tensor(3.)
print(x)
y = x[0]; y[0] = 100; print(x[0,0])
del x
