"""A language model of two layers, trained from the same start by F.embedding and by the
drop-in: what comes out bit for bit, and within which bound what does not.
"""

import math

import pytest
import torch
import torch.nn.functional as F

import embedding_mlir

VOCABULARY, WIDTH, LENGTH, BATCH, STEPS = 96, 32, 16, 8, 300


class LanguageModel(torch.nn.Module):
    """Tokens and positions are looked up, mixed by two layers of attention, and scored by
    the table of tokens."""

    def __init__(self, embed, **options):
        super().__init__()
        self.embed, self.options = embed, options
        self.tokens = torch.nn.Parameter(torch.randn(VOCABULARY, WIDTH) * 0.1)
        self.positions = torch.nn.Parameter(torch.randn(LENGTH, WIDTH) * 0.1)
        self.layers = torch.nn.ModuleList(
            torch.nn.TransformerEncoderLayer(WIDTH, 4, 2 * WIDTH, dropout=0.0,
                                             batch_first=True)
            for _ in range(2))
        self.mask = torch.nn.Transformer.generate_square_subsequent_mask(LENGTH)

    def forward(self, input):
        x = self.embed(input, self.tokens, **self.options)
        x = x + self.embed(torch.arange(LENGTH), self.positions)
        for layer in self.layers:
            x = layer(x, src_mask=self.mask, is_causal=True)
        return x @ self.tokens.T


def make_text():
    """Words of three letters, drawn by Zipf's law: something to learn."""
    generator = torch.Generator().manual_seed(1)
    words = torch.randint(1, VOCABULARY, (40, 3), generator=generator)
    frequencies = 1 / torch.arange(1, 41)
    drawn = torch.multinomial(frequencies, 6000, replacement=True, generator=generator)
    return words[drawn].flatten()


def train(embed, **options):
    torch.manual_seed(0)
    model, text = LanguageModel(embed, **options), make_text()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for step in range(STEPS):
        generator = torch.Generator().manual_seed(step)
        starts = torch.randint(len(text) - LENGTH - 1, (BATCH, 1), generator=generator)
        window = text[starts + torch.arange(LENGTH + 1)]
        loss = F.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.fixture(autouse=True)
def one_thread():
    """PyTorch's own sums, of matrices, depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("options", ({}, {"padding_idx": 1},
                                     {"padding_idx": 1, "scale_grad_by_freq": True}),
                         ids=("plain", "padding", "scaled"))
def test_same_losses(options):
    """In a batch no token comes more than 128 times, so that both sum its gradients in the
    order of positions: every loss has the same bits."""
    ours, theirs = train(embedding_mlir.embedding, **options), train(F.embedding, **options)
    assert theirs[-1] < theirs[0] - 1.0, "the model learns nothing"
    if options.get("scale_grad_by_freq"):
        # PyTorch divides by the frequency where we multiply by its inverse.
        assert all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(ours, theirs))
    else:
        assert ours == theirs


def test_repeated():
    """Of its own, the drop-in gives the same bits each time."""
    assert train(embedding_mlir.embedding) == train(embedding_mlir.embedding)
