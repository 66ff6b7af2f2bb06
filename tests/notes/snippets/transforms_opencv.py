import os
import tempfile

import cv2
import numpy as np
from torchvision import transforms

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "picture.png")
    cv2.imwrite(path, (np.arange(6 * 5 * 3) * 2).astype(np.uint8).reshape(6, 5, 3))
    image = cv2.imread(path)
print(type(image).__name__, image.shape, image.dtype)
tensor = transforms.ToTensor()(image)
print(tensor.shape, tensor.dtype, round(tensor.max().item(), 4))
print((tensor.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8).tolist() == image.tolist())
print(transforms.ConvertImageDtype(transforms.PILToTensor()(
    transforms.ToPILImage()(image)).dtype)(tensor).dtype)

# Output:
# ndarray (6, 5, 3) uint8
# torch.Size([3, 6, 5]) torch.float32 0.698
# True
# torch.uint8
