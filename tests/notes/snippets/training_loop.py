import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(300, 8)
y = (x[:, 0] * x[:, 1] > 0).long()
train = DataLoader(TensorDataset(x[:200], y[:200]), batch_size=20, shuffle=True)
validation = DataLoader(TensorDataset(x[200:], y[200:]), batch_size=50)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
best = 0.0
for epoch in range(5):
    model.train()
    total = 0.0
    for inputs, labels in train:
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    model.eval()
    correct = 0
    with torch.no_grad():
        for inputs, labels in validation:
            predictions = model(inputs).argmax(1)
            correct += (predictions == labels).sum().item()
    best = max(best, correct / 100)
    print(f"epoch {epoch + 1}: loss {total / 200:.4f}, accuracy {correct / 100:.2f}")
print(best)

# Output:
# epoch 1: loss 0.6946, accuracy 0.58
# epoch 2: loss 0.6312, accuracy 0.60
# epoch 3: loss 0.5726, accuracy 0.60
# epoch 4: loss 0.5181, accuracy 0.66
# epoch 5: loss 0.4626, accuracy 0.74
# 0.74
