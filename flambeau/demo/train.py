"""The demo's networks and its loop: training, validation and test."""

from __future__ import annotations

import os
import time

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim
from flambeau.utils.data import DataLoader

from .data import load_data
from .endings import Progress
from .report import Bar, Logs, contact_sheet, print_compiled, seconds_in_programs

__all__ = ["CNN", "MLP", "train"]


class CNN(nn.Module):
    """Two 5x5 convolutions of 20 channels, each with ReLU and pooling, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 20, 5)
        self.fc = nn.Linear(20 * 4 * 4, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(torch.flatten(x, 1))


class MLP(nn.Module):
    """Three linear layers with ReLU."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(),
                                    nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))

    def forward(self, x):
        return self.layers(x)


def train(options, progress: Progress) -> float:
    """Train, keep the best weights, test them; the test accuracy."""
    torch.manual_seed(options.seed)
    train_set, valid_set, test_set, source = load_data(options.data, options.seed)
    print(f"Data: {source}.", flush=True)
    train_loader = DataLoader(train_set, batch_size=options.batch_size, shuffle=True)
    valid_loader = DataLoader(valid_set, batch_size=1000)
    test_loader = DataLoader(test_set, batch_size=1000)

    model = CNN() if options.model == "cnn" else MLP()
    optimizer = optim.SGD(model.parameters(), lr=options.lr, momentum=0.9)
    scheduler = optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=options.lr, total_steps=options.epochs * len(train_loader))
    weights = os.path.join(options.out, f"{options.model}_best.pth")
    logs = Logs(os.path.join(options.out, "logs"))
    logs.graph(model, test_set[0][0].unsqueeze(0))

    best, begin, times = -1.0, time.perf_counter(), []
    for epoch in range(1, options.epochs + 1):
        loss = train_epoch(model, train_loader, optimizer, scheduler, epoch, options.epochs,
                           progress, times)
        accuracy, valid_loss = evaluate(model, valid_loader)
        print(f"epoch {epoch}: training loss {loss:.4f}, validation loss {valid_loss:.4f}, "
              f"validation accuracy {accuracy:.4f}", flush=True)
        logs.scalars(epoch, {"loss/train": loss, "loss/validation": valid_loss,
                             "accuracy/validation": accuracy})
        if accuracy > best:
            best = accuracy
            torch.save(model.state_dict(), weights)
            progress.saved = weights
    seconds = time.perf_counter() - begin

    progress.where = "in the test"
    model.load_state_dict(torch.load(weights, weights_only=True))
    accuracy, _ = evaluate(model, test_loader)
    passes = "1 epoch" if options.epochs == 1 else f"{options.epochs} epochs"
    print(f"test accuracy {accuracy:.4f} after {passes} in {seconds:.1f} s", flush=True)
    logs.scalars(options.epochs, {"accuracy/test": accuracy})
    sheet = contact_sheet(model, test_set, os.path.join(options.out, "predictions.png"), logs)
    logs.close()
    print(f"wrote {weights}{', ' + sheet if sheet else ''}"
          f"{f', TensorBoard logs in {logs.folder}' if logs.active else ''}")
    print_compiled(times)
    return accuracy


def train_epoch(model, loader, optimizer, scheduler, epoch, epochs, progress, times) -> float:
    """One pass over the training images; the mean loss.

    Appends to `times` the seconds of each step, and how many of them programs ran.
    """
    model.train()
    total, count = 0.0, 0
    with Bar(f"epoch {epoch}/{epochs}", len(loader)) as bar:
        before, ran_before = time.perf_counter(), seconds_in_programs()
        for step, (images, labels) in enumerate(loader, 1):
            progress.where = f"in epoch {epoch}, step {step} of {len(loader)}"
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item() * len(labels)
            count += len(labels)
            now, ran = time.perf_counter(), seconds_in_programs()
            times.append((now - before, ran - ran_before))
            before, ran_before = now, ran
            bar.update(total / count)
    return total / count


def evaluate(model, loader) -> tuple[float, float]:
    """The accuracy and the mean loss on a data set."""
    model.eval()
    correct, total, count = 0, 0.0, 0
    with torch.no_grad():
        for images, labels in loader:
            scores = model(images)
            total += F.cross_entropy(scores, labels, reduction="sum").item()
            correct += (scores.argmax(dim=1) == labels).sum().item()
            count += len(labels)
    return correct / count, total / count
