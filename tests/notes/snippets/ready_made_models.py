import torch
import torchvision
from torch import nn

vgg = torchvision.models.vgg16(weights=None)
print(vgg.classifier)
vgg.classifier.add_module("7", nn.Linear(1000, 10))
print(vgg.classifier[-1], len(vgg.features))
vgg.classifier[6] = nn.Linear(4096, 10)
print(vgg.classifier[6])
vgg.add_module("extra", nn.Identity())
print([name for name, _ in vgg.named_children()])
resnet = torchvision.models.resnet18(weights=None)
resnet.fc = nn.Linear(resnet.fc.in_features, 2)
for name, parameter in resnet.named_parameters():
    parameter.requires_grad = name.startswith("fc.")
print(resnet.fc, sum(p.numel() for p in resnet.parameters() if p.requires_grad))
resnet.eval()
print(resnet(torch.ones(1, 3, 32, 32)).shape, resnet.layer1[0])

# Output:
# Sequential(
#   (0): Linear(in_features=25088, out_features=4096, bias=True)
#   (1): ReLU(inplace=True)
#   (2): Dropout(p=0.5, inplace=False)
#   (3): Linear(in_features=4096, out_features=4096, bias=True)
#   (4): ReLU(inplace=True)
#   (5): Dropout(p=0.5, inplace=False)
#   (6): Linear(in_features=4096, out_features=1000, bias=True)
# )
# Linear(in_features=1000, out_features=10, bias=True) 31
# Linear(in_features=4096, out_features=10, bias=True)
# ['features', 'avgpool', 'classifier', 'extra']
# Linear(in_features=512, out_features=2, bias=True) 1026
# torch.Size([1, 2]) BasicBlock(
#   (conv1): Conv2d(64, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
#   (bn1): BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
#   (relu): ReLU(inplace=True)
#   (conv2): Conv2d(64, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
#   (bn2): BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
# )
