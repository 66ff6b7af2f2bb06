import torch
from torch import nn

torch.manual_seed(0)
x = torch.arange(12.0).reshape(3, 4)
print(nn.Linear(4, 2)(x))
norm = nn.BatchNorm1d(4)
print(norm(x ** 2), norm.running_mean, norm.num_batches_tracked)
print(nn.LayerNorm(4)(x), nn.LayerNorm(4))
print(nn.Embedding(5, 2)(torch.tensor([1, 4])))
drop = nn.Dropout(0.5)
print(drop(torch.ones(2, 4)), drop.eval()(torch.ones(3)))
output, (hidden, cell) = nn.LSTM(4, 3, batch_first=True)(x.unsqueeze(0))
print(output.shape, hidden.shape, cell.shape, nn.BatchNorm2d(20))

# Output:
# tensor([[-1.7031,  1.4359],
#         [-3.7632,  2.7481],
#         [-5.8232,  4.0602]], grad_fn=<AddmmBackward0>)
# tensor([[-0.9806, -1.0342, -1.0690, -1.0933],
#         [-0.3922, -0.3182, -0.2673, -0.2302],
#         [ 1.3728,  1.3524,  1.3363,  1.3235]],
#        grad_fn=<NativeBatchNormBackward0>) tensor([2.6667, 3.5667, 4.6667, 5.9667]) tensor(1)
# tensor([[-1.3416, -0.4472,  0.4472,  1.3416],
#         [-1.3416, -0.4472,  0.4472,  1.3416],
#         [-1.3416, -0.4472,  0.4472,  1.3416]],
#        grad_fn=<NativeLayerNormBackward0>) LayerNorm((4,), eps=1e-05, elementwise_affine=True, bias=True)
# tensor([[-0.7831,  1.0622],
#         [-0.8265, -0.7949]], grad_fn=<EmbeddingBackward0>)
# tensor([[2., 2., 2., 0.],
#         [0., 2., 0., 2.]]) tensor([1., 1., 1.])
# torch.Size([1, 3, 3]) torch.Size([1, 1, 3]) torch.Size([1, 1, 3]) BatchNorm2d(20, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
