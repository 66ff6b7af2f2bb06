import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 16 * 5 * 5)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


torch.manual_seed(0)
net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
inputs, labels = torch.randn(8, 3, 32, 32), torch.randint(0, 10, (8,))
for step in range(8):
    optimizer.zero_grad()
    outputs = net(inputs)
    loss = criterion(outputs, labels)
    loss.backward()
    optimizer.step()
    _, predicted = torch.max(outputs.data, 1)
    print(f"[{step}] loss: {loss.item():.4f} correct: {(predicted == labels).sum().item()}")

# Output:
# [0] loss: 2.3059 correct: 1
# [1] loss: 2.2822 correct: 1
# [2] loss: 2.2469 correct: 1
# [3] loss: 2.2081 correct: 4
# [4] loss: 2.1609 correct: 3
# [5] loss: 2.0962 correct: 2
# [6] loss: 2.0021 correct: 2
# [7] loss: 1.8805 correct: 2
