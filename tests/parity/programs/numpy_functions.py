import torch, numpy as np
t=torch.tensor([4.,9.])
print(np.sqrt(t), np.sqrt(torch.tensor(4.)), np.exp(t), np.add(t,1), np.greater(t,5), np.abs(-t), np.floor(t/2), np.sin(t).dtype, type(np.sqrt(t)))
print(np.maximum(t, 5), np.asarray(t), np.sum(t.numpy()), np.clip(t.numpy(),0,5), np.dot(t.numpy(), t.numpy()), np.linalg.norm(t), np.isnan(t), np.round(t.numpy()), np.array([t.numpy(),t.numpy()]), np.vstack([t,t]))
print(np.mean(t.numpy()), np.argmax(t), np.argsort(t.numpy()), np.square(t)+t, np.log(t).sum())
print(np.repeat(t, 2), np.where(t>5, 1, 0), np.unique(t), np.expand_dims(t,0).shape, np.transpose(torch.ones(2,3)).shape)
