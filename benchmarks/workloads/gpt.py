"""A GPT of 4 layers, width 128, 4 heads, context 64, batch 12, AdamW."""

import torch
import torch.nn.functional as F
from _timing import measure, options
from torch import nn

HEADS, VOCABULARY = 4, 65
found = options(40, batch=12, width=128, depth=4, sequence=64)
WIDTH = found.width


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
        self.positions = nn.Embedding(found.sequence, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(found.depth)])
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.blocks(x)))


model = GPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
text = torch.randint(0, VOCABULARY, (found.batch, found.sequence + 1))
measure(found, model, optimizer, lambda: model(text[:, :-1]),
        lambda scores: F.cross_entropy(scores.reshape(-1, VOCABULARY), text[:, 1:].reshape(-1)))
