"""A training step of a language model: 2-layer LSTM of 200, 35 steps, batch 20, SGD, clipping."""

import torch
import torch.nn.functional as F
from _timing import measure, options
from torch import nn

VOCABULARY, WIDTH = 10_000, 200


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.rnn = nn.LSTM(WIDTH, WIDTH, 2)
        self.decoder = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, tokens, state):
        output, state = self.rnn(self.embedding(tokens), state)
        return self.decoder(output).view(-1, VOCABULARY), state


found = options(15)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
text = torch.randint(0, VOCABULARY, (36, 20))
state = (torch.zeros(2, 20, WIDTH), torch.zeros(2, 20, WIDTH))


def step():
    global state
    state = tuple(s.detach() for s in state)
    scores, state = model(text[:-1], state)
    loss = F.cross_entropy(scores, text[1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
    optimizer.step()
    return loss.detach()


measure(step, found)
