"""A training step of a GPT of 4 layers, width 128, context 64, batch 12, AdamW."""

import torch
import torch.nn.functional as F
from _timing import compiled, measure, options, training_step
from torch import nn

WIDTH, HEADS, CONTEXT, VOCABULARY = 128, 4, 64, 65


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = nn.Linear(WIDTH, 3 * WIDTH)
        self.projection = nn.Linear(WIDTH, WIDTH)
        self.expand, self.contract = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        batch, time, _ = x.shape
        parts = self.attention(self.norm1(x)).split(WIDTH, dim=2)
        q, k, v = (p.view(batch, time, HEADS, WIDTH // HEADS).transpose(1, 2) for p in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.projection(y.transpose(1, 2).reshape(batch, time, WIDTH))
        return x + self.contract(F.gelu(self.expand(self.norm2(x))))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(4)])
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.blocks(x)))


found = options(40)
model = GPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
text = torch.randint(0, VOCABULARY, (12, CONTEXT + 1))


def loss_of():
    scores = model(text[:, :-1])
    return F.cross_entropy(scores.reshape(-1, VOCABULARY), text[:, 1:].reshape(-1))


forward = compiled(loss_of, found.mode)
measure(training_step(forward, optimizer), found)
