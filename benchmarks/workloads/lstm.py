"""A language model: 2-layer LSTM of 256, sequences of 35, batch 20, SGD, clipped gradients."""

import torch
import torch.nn.functional as F
from _timing import measure, options
from torch import nn

VOCABULARY = 10_000
found = options(15, batch=20, width=256, depth=2, sequence=35)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, found.width)
        self.rnn = nn.LSTM(found.width, found.width, found.depth)
        self.decoder = nn.Linear(found.width, VOCABULARY)

    def forward(self, tokens, state):
        output, state = self.rnn(self.embedding(tokens), state)
        return self.decoder(output).view(-1, VOCABULARY), state


model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
text = torch.randint(0, VOCABULARY, (found.sequence + 1, found.batch))
state = tuple(torch.zeros(found.depth, found.batch, found.width) for _ in range(2))


def scores():
    """Scores of the next words; the state goes on into the next step, cut from its gradients."""
    global state
    result, state = model(text[:-1], tuple(part.detach() for part in state))
    return result


measure(found, model, optimizer, scores,
        lambda scores: F.cross_entropy(scores, text[1:].reshape(-1)),
        lambda: torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25))
