import numpy as np
from PIL import Image
from torchvision import transforms

image = Image.fromarray((np.arange(30 * 40 * 3) % 256).astype(np.uint8).reshape(30, 40, 3))
tensor = transforms.ToTensor()(image)
print(type(tensor), tensor.shape, tensor.dtype, tensor[0, 0, :3])
normal = transforms.Normalize([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])(tensor)
print(normal[0, 0, :3], normal.min().item(), normal.max().item())
print(transforms.Resize((15, 20))(image).size, transforms.Resize(15)(image).size)
print(transforms.CenterCrop(10)(tensor).shape, transforms.Grayscale()(image).mode)
print(transforms.RandomCrop(12)(image).size, transforms.RandomHorizontalFlip(p=1.0)(tensor)[0, 0, 0])
print(transforms.RandomRotation(10)(image).size, transforms.ToPILImage()(tensor).mode)
both = transforms.Compose([transforms.Resize(16), transforms.ToTensor()])
print(both(image).shape)
print(both)

# Output:
# <class 'torch.Tensor'> torch.Size([3, 30, 40]) torch.float32 tensor([0.0000, 0.0118, 0.0235])
# tensor([-1.0000, -0.9765, -0.9529]) -1.0 1.0
# (20, 15) (20, 15)
# torch.Size([3, 10, 10]) L
# (12, 12) tensor(0.4588)
# (40, 30) RGB
# torch.Size([3, 16, 21])
# Compose(
#     Resize(size=16, interpolation=bilinear, max_size=None, antialias=True)
#     ToTensor()
# )
