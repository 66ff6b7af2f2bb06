import torch, torch.nn as nn, torch.nn.functional as F
torch.manual_seed(0)
x=torch.randn(64,10); y=(x[:,0]>0).long()
m=nn.Sequential(nn.Linear(10,16),nn.ReLU(),nn.Dropout(0.1),nn.Linear(16,2)); o=torch.optim.Adam(m.parameters(),1e-2)
for e in range(5):
    l=F.cross_entropy(m(x),y); o.zero_grad(); l.backward(); o.step(); print(e, round(l.item(),4), (m(x).argmax(1)==y).float().mean().item())
rnn=nn.LSTM(4,8,2,batch_first=True,bidirectional=True); out,(h,c)=rnn(torch.randn(3,5,4)); print(out.shape,h.shape,c.shape)
p=nn.utils.rnn.pack_padded_sequence(torch.randn(3,5,4),[5,3,2],batch_first=True); o2,_=rnn(p); print(nn.utils.rnn.pad_packed_sequence(o2,batch_first=True)[1])
nn.utils.rnn.pack_padded_sequence(torch.randn(3,5,4),[2,3,5],batch_first=True)
emb=nn.Embedding(10,4,padding_idx=0); print(emb(torch.tensor([0,1])).shape, emb.weight[0])
t=nn.TransformerEncoder(nn.TransformerEncoderLayer(8,2,16,batch_first=True),2).eval(); print(t(torch.ones(2,3,8)).shape, t(torch.ones(2,3,8),src_key_padding_mask=torch.tensor([[False,False,True]]*2)).shape)
mask=nn.Transformer.generate_square_subsequent_mask(3); print(mask)
a,w=nn.MultiheadAttention(8,2,batch_first=True)(torch.ones(1,3,8),torch.ones(1,3,8),torch.ones(1,3,8)); print(a.shape,w.shape)
print(F.scaled_dot_product_attention(torch.ones(1,2,3,4),torch.ones(1,2,3,4),torch.ones(1,2,3,4),is_causal=True).shape)
c=nn.Conv2d(3,8,3,2,1); print(c(torch.randn(1,3,9,9)).shape, nn.ConvTranspose2d(8,3,4,2,1)(torch.randn(1,8,5,5)).shape, F.interpolate(torch.arange(4.).reshape(1,1,2,2),scale_factor=2,mode='bilinear',align_corners=True), F.pad(torch.arange(3.)[None,None],(1,2),mode='reflect'), F.unfold(torch.ones(1,1,3,3),2).shape, F.avg_pool2d(torch.ones(1,1,4,4),2).shape, F.adaptive_avg_pool2d(torch.ones(1,2,5,5),(1,1)).flatten(1))
tot=0.
for i in range(3): tot+=F.mse_loss(torch.ones(2)*i,torch.zeros(2))
print(tot, tot.item(), tot/3)
best=float('inf'); 
if F.mse_loss(torch.ones(2),torch.zeros(2))<best: print('better')
losses=[torch.tensor(1.),torch.tensor(2.)]; print(sum(losses)/len(losses), torch.stack(losses).mean(), torch.tensor(losses).mean(), min(losses))
w=torch.tensor([1.,2.],requires_grad=True); opt=torch.optim.SGD([w],lr=0.1)
for _ in range(2):
    opt.zero_grad(); (w**2).sum().backward(); opt.step()
print(w, w.grad)
def evaluate(model):
    model.eval()
    with torch.no_grad(): return F.cross_entropy(model(x),y).item()
print(round(evaluate(m),5)); m.train()
sc=torch.amp.GradScaler('cpu',enabled=False); 
with torch.autocast('cpu',dtype=torch.bfloat16): z=m[0](x); print(z.dtype)
with torch.amp.autocast(device_type='cpu',enabled=False): print(m[0](x).dtype)
from torch.optim.lr_scheduler import *
sch=StepLR(o,1,0.1); o.step(); sch.step(); print(sch.get_last_lr())
ema=torch.optim.swa_utils.AveragedModel(m); ema.update_parameters(m); print(ema.n_averaged)
print(sum(p.numel() for p in m.parameters() if p.requires_grad), next(m.parameters()).device, next(m.parameters()).is_cuda)
for n,p in m.named_parameters():
    if 'bias' in n: p.requires_grad=False
print([p.requires_grad for p in m.parameters()])
nn.init.xavier_uniform_(m[0].weight); nn.init.zeros_(m[0].bias); nn.init.kaiming_normal_(m[3].weight,mode='fan_out',nonlinearity='relu'); print(m[3].weight[0,:3])
nn.init.normal_(torch.empty(2),0,0.02); nn.init.constant_(torch.empty(2),3); nn.init.trunc_normal_(torch.empty(3),std=0.02); nn.init.xavier_uniform_(torch.empty(3))
def init(m):
    if isinstance(m,nn.Linear): nn.init.ones_(m.weight)
m.apply(init); print(m[0].weight.sum())
print(torch.cuda.is_available(), torch.cuda.device_count(), torch.backends.cudnn.enabled, torch.device('cuda' if torch.cuda.is_available() else 'cpu'), torch.backends.mps.is_available(), hasattr(torch,'compile'))
torch.backends.cudnn.deterministic=True; torch.backends.cudnn.benchmark=False; torch.cuda.manual_seed_all(1); torch.use_deterministic_algorithms(False)
torch.ones(1).cuda()
torch.cuda.get_device_name(0)
print(torch.get_num_threads()>0, torch.cuda.empty_cache(), torch.cuda.memory_allocated())
f=torch.compile(lambda v: v*2); print(f(torch.ones(1)))
