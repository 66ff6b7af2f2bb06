import torch
from torch.utils.data import DataLoader, TensorDataset, random_split

if __name__ == "__main__":
    data = TensorDataset(torch.arange(20.0).reshape(10, 2), torch.arange(10))
    train, test = random_split(data, [7, 3], generator=torch.Generator().manual_seed(42))
    print(len(train), len(test), sorted(train.indices + test.indices))
    loader = DataLoader(train, batch_size=3, num_workers=2, pin_memory=False)
    print(sum(y.sum().item() for _, y in loader) + sum(int(y) for _, y in test))
    for x, y in DataLoader(data, batch_size=5, num_workers=1):
        print(x[0], y)
    print(data[2], test.indices)

# Output:
# 7 3 [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
# 45
# tensor([0., 1.]) tensor([0, 1, 2, 3, 4])
# tensor([10., 11.]) tensor([5, 6, 7, 8, 9])
# (tensor([4., 5.]), tensor(2)) [9, 3, 7]
