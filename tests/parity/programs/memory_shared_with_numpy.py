import torch as t
x=t.arange(4.).reshape(2,2); n=x.numpy(); n[0,0]=5; print(x.tolist())
x=t.arange(4.).reshape(2,2); print(x.sum().item()); n=x.numpy(); n[0,0]=5; print(x.tolist())
x=t.ones(4).view(2,2); n=x.numpy(); n[0,0]=5; print(x.tolist(), (x+0).tolist(), x.sum().item())
y=t.ones(2,3); x=y.t(); n=x.numpy(); n[0,0]=5; print(x.tolist(), y.tolist())
y=t.ones(2,3); x=y.t(); print(x.sum().item()); n=x.numpy(); n[0,0]=5; print(x.tolist(), y.tolist()); n[0,0]=6;  print(x.tolist(), y.tolist())
y=t.ones(2,3); x=y[0]; n=x.numpy(); n[0]=5; print(x.tolist(), y.tolist()); n[0]=6;  print(x.tolist(), y.tolist())
y=t.ones(2,3); x=y[0]; x+=1; n=x.numpy(); n[0]=5; print(x.tolist(), y.tolist()); n[0]=6;  print(x.tolist(), y.tolist())
import numpy as np
a=np.ones(6); y=t.from_numpy(a); x=y.view(2,3); a[0]=5; print(x.tolist(), y.tolist()); a[0]=6; print(x.tolist(), y.tolist()); x[0,1]=9; print(a)
