"""Growing token sequences do not make new programs."""

import flambeau as torch
from flambeau.record.report import program_count


def test_generation_repeats_one_program():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Flatten(), torch.nn.Linear(16, 9))
    tokens = torch.zeros(1, 4, dtype=torch.long)
    counts = []
    with torch.no_grad():
        for _ in range(12):
            chances = torch.softmax(net(tokens[:, -4:]), dim=-1)
            tokens = torch.cat((tokens, torch.multinomial(chances, 1)), dim=1)
            counts.append(program_count())
    assert tokens.shape == (1, 16)
    assert counts[4] == counts[-1]


def test_a_piece_is_still_a_view():
    numbers = torch.arange(6).reshape(2, 3)
    piece = numbers[:, 1:]
    piece += 10
    assert numbers.tolist() == [[0, 11, 12], [3, 14, 15]]
    numbers[0] = 5
    assert piece.tolist() == [[5, 5], [14, 15]]
    assert torch.cat([numbers[:1], numbers]).shape == (3, 3)
