import tempfile

import numpy as np
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.utils.tensorboard import SummaryWriter

folder = tempfile.mkdtemp()
writer = SummaryWriter(folder)
for i in range(5):
    writer.add_scalar("y=2x", 2 * i, i)
writer.add_image("array", np.zeros((8, 8, 3), dtype=np.uint8), 1, dataformats="HWC")
writer.add_image("tensor", torch.rand(3, 8, 8), 2)
writer.add_images("batch", torch.rand(4, 3, 8, 8), 0)
writer.add_histogram("weights", torch.randn(100), 0)
writer.add_text("note", "hello", 0)
model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2))
writer.add_graph(model, torch.rand(1, 1, 8, 8))
writer.close()
events = EventAccumulator(folder).Reload()
tags = events.Tags()
print(tags["scalars"], sorted(tags["images"]), tags["histograms"], tags["tensors"], tags["graph"])
print([(e.step, e.value) for e in events.Scalars("y=2x")])
print(events.Images("batch")[0].width, events.Images("batch")[0].height)

# Output:
# ['y=2x'] ['array', 'batch', 'tensor'] ['weights'] ['note/text_summary'] True
# [(0, 0.0), (1, 2.0), (2, 4.0), (3, 6.0), (4, 8.0)]
# 32 8
