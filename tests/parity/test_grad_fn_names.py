"""``grad_fn`` has PyTorch's name for what people print: layers, arithmetic, views, losses."""
import warnings

import pytest

torch = pytest.importorskip("torch")

import flambeau as fb

PROGRAMS = """
    x+x | x+1 | 1+x | x-1 | 1-x | x*2 | 2*x | x/2 | 2/x | x**2 | 2**x | x**x | -x | x@x.t() |
    x.exp() | x.log() | x.sqrt() | x.rsqrt() | x.sin() | x.cos() | x.tanh() | x.sigmoid() |
    x.relu() | x.abs() | x.clamp(0,1) | x.clamp(min=0) | x.clamp_min(0) | x.sum() | x.sum(0) |
    x.mean() | x.mean(1) | x.max() | x.max(0)[0] | x.min() | x.amax(1) | x.prod() | x.prod(0) |
    x.std() | x.var(0) | x.norm() | x.norm(dim=1) | x.view(-1) | x.reshape(-1) | x.t() | x.T |
    x.transpose(0,1) | x.permute(1,0) | x.flatten() | x.squeeze() | x.unsqueeze(0) |
    x.squeeze(0) | x.expand(2,3,3) | x.repeat(2,1) | x[0] | x[:,1] | x[1:] | x[...,None] |
    x[None] | x[torch.tensor([0,1])] | x[x>0] | x[[0,1],[1,0]] | torch.cat([x,x]) |
    torch.stack([x,x]) | x.split(1)[0] | x.chunk(2)[0] | x.unbind()[0] | F.softmax(x,1) |
    F.log_softmax(x,1) | F.gelu(x) | F.silu(x) | F.elu(x) | F.leaky_relu(x) | F.softplus(x) |
    F.hardtanh(x) | F.relu6(x) | F.logsigmoid(x) | F.mse_loss(x,x*2) | F.l1_loss(x,x*2) |
    F.smooth_l1_loss(x,x*2) | F.huber_loss(x,x*2) | F.cross_entropy(x,torch.tensor([0,1,2])) |
    F.nll_loss(x,torch.tensor([0,1,2])) | F.binary_cross_entropy(x.sigmoid(),torch.ones(3,3)) |
    F.binary_cross_entropy_with_logits(x,torch.ones(3,3)) | F.kl_div(x,x) |
    F.cross_entropy(x,torch.softmax(x.detach(),1)) | F.linear(x,x) | F.linear(x,x,x[0]) |
    F.linear(x[None],x,x[0]) | F.linear(x[None],x) | F.conv2d(x[None,None],x[None,None,:2,:2]) |
    F.conv1d(x[None],x[None,:,:2]) | F.conv_transpose2d(x[None,None],x[None,None]) |
    F.max_pool2d(x[None],2) | F.max_pool1d(x[None],2) | F.avg_pool2d(x[None],2) |
    F.avg_pool1d(x[None],2) | F.adaptive_avg_pool2d(x[None],1) |
    F.adaptive_avg_pool2d(x[None],2) | F.adaptive_max_pool2d(x[None],1) | F.layer_norm(x,(3,)) |
    F.batch_norm(x,None,None,training=True) | F.group_norm(x[None],3) |
    F.instance_norm(x[None]) | F.embedding(torch.tensor([0,1]),x) | F.dropout(x) |
    F.dropout(x,training=False) | F.pad(x,(1,1)) | F.pad(x[None],(1,1),mode='reflect') |
    F.interpolate(x[None,None],scale_factor=2) |
    F.interpolate(x[None,None],scale_factor=2,mode='bilinear') | F.normalize(x) |
    F.cosine_similarity(x,x*2) | torch.matmul(x,x[0]) | torch.matmul(x[0],x[0]) |
    torch.matmul(x[0],x) | x[None]@x[None] | x[None]@x | torch.bmm(x[None],x[None]) |
    torch.mm(x,x) | torch.mv(x,x[0]) | torch.dot(x[0],x[0]) | torch.addmm(x,x,x) |
    torch.einsum('ij,jk->ik',x,x) | torch.einsum('ij->i',x) | torch.outer(x[0],x[0]) |
    torch.where(x>0,x,x*2) | torch.where(x>0,x,0.) | torch.maximum(x,x*2) |
    torch.gather(x,1,torch.zeros(3,1,dtype=torch.int64)) | x.index_select(0,torch.tensor([0])) |
    x.masked_fill(x>0,0) | x.cumsum(0) | x.sort(0)[0] | x.topk(1)[0] | x.double() |
    x.to(torch.float64) | x.half() | x.clone() | x.contiguous() | x.t().contiguous() |
    x.logsumexp(1) | x.tril() | x.triu() | x.diagonal() | x.trace() | torch.linalg.norm(x) |
    torch.det(x) | torch.inverse(x) | torch.linalg.solve(x,x) | x.roll(1) | x.flip(0) |
    x.unfold(0,2,1) | x.clone().mul_(2) | x.clone().relu_() | x.round() | x.floor() | x.sign() |
    x.pow(3) | x.pow(0.5) | x.reciprocal() | x.square() | x.atan2(x) | x.lerp(x,0.5) |
    x.addcmul(x,x) | x.remainder(2) | x%2 | x.fmod(2) |
    x.scatter(1,torch.zeros(3,1,dtype=torch.int64),x) |
    x.scatter_add(1,torch.zeros(3,1,dtype=torch.int64),x) |
    x.index_add(0,torch.tensor([0]),x[:1]) | x.narrow(0,0,1) | x.select(0,1) | x.movedim(0,1) |
    x.mT | torch.stack([x,x]).mean(0) | x.view(9,1).squeeze(1) | x.unflatten(0,(3,1)) |
    x.ravel() | torch.hstack([x,x]) | x.nansum() | x.median() | x.erf() | x.log1p() | x.expm1() |
    x.tan() | x.softmax(0) | x.log_softmax(0) | x.detach().requires_grad_() | nn.Linear(3,2)(x) |
    nn.ReLU()(x) | nn.Softmax(1)(x) | nn.MultiheadAttention(3,1)(x,x,x)[0] | nn.LSTM(3,2)(x)[0] |
    nn.GRU(3,2)(x)[0] | nn.RNN(3,2)(x)[0] | nn.LSTMCell(3,2)(x)[0] | nn.BatchNorm1d(3)(x) |
    nn.BatchNorm1d(3).eval()(x) | nn.PReLU()(x) | nn.GLU()(x[:,:2]) |
    nn.Embedding(3,2)(torch.tensor([1])) |
    nn.CrossEntropyLoss(label_smoothing=0.1)(x,torch.tensor([0,1,2])) | nn.Bilinear(3,3,2)(x,x) |
    nn.Hardswish()(x) | nn.Mish()(x) | nn.SELU()(x) | nn.CELU()(x) | nn.Softsign()(x) |
    nn.Tanhshrink()(x) | nn.Threshold(0,1)(x) | nn.LPPool1d(2,2)(x[None]) |
    nn.Upsample(scale_factor=2)(x[None,None]) | nn.PixelShuffle(1)(x[None,None]) |
    nn.Unfold(2)(x[None,None]) | nn.ZeroPad2d(1)(x[None]) | nn.ReflectionPad2d(1)(x[None]) |
    nn.TransformerEncoderLayer(3,1)(x)
"""


def made(library, program):
    names = {"torch": library, "F": library.nn.functional, "nn": library.nn}
    library.manual_seed(0)
    names["x"] = library.tensor([[0.5, 1.5, -2.], [3., -1., 0.25], [1., 2., 4.]],
                                requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(program, names)


@pytest.mark.parametrize("program", [p.strip() for p in PROGRAMS.split("|")])
def test_name(program):
    mine, theirs = made(fb, program), made(torch, program)
    if theirs.grad_fn is None:
        assert mine.grad_fn is None
    else:
        assert mine.grad_fn.name() == theirs.grad_fn.name()
        assert f"grad_fn=<{mine.grad_fn.name()}>" in repr(mine)
