import torch
from torch.utils.data import DataLoader, Dataset


class Squares(Dataset):
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return torch.tensor([float(index)]), index ** 2


data = Squares(10)
print(len(data), data[3])
loader = DataLoader(dataset=data, batch_size=4, shuffle=False, num_workers=0, drop_last=False)
for step, (x, y) in enumerate(loader):
    print(step, x.shape, y, y.dtype)
torch.manual_seed(0)
for x, y in DataLoader(data, batch_size=4, shuffle=True, drop_last=True):
    print(x.flatten().tolist(), y.tolist())
print(len(loader), (data + Squares(2))[11])
features, labels = next(iter(loader))
print(features.size(), labels.size())

# Output:
# 10 (tensor([3.]), 9)
# 0 torch.Size([4, 1]) tensor([0, 1, 4, 9]) torch.int64
# 1 torch.Size([4, 1]) tensor([16, 25, 36, 49]) torch.int64
# 2 torch.Size([2, 1]) tensor([64, 81]) torch.int64
# [6.0, 7.0, 1.0, 4.0] [36, 49, 1, 16]
# [2.0, 0.0, 9.0, 8.0] [4, 0, 81, 64]
# 3 (tensor([1.]), 1)
# torch.Size([4, 1]) torch.Size([4])
