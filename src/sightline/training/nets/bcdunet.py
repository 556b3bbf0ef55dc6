"""BCDU-Net: a U-Net with a densely connected bottom whose skips pass through ConvLSTMs.

Azad et al. 2019, "Bi-Directional ConvLSTM U-Net with Densley Connected Convolutions",
ICCV Workshops, arXiv 1909.00166.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .unet import double

__all__ = ["BCDUNet", "BiConvLSTM", "DenseBottom"]


class BiConvLSTM(nn.Module):
    """Reads the two-step sequence (skipped, risen) in both directions (Song et al. 2018).

    Inputs: two maps, batch x channels x height x width each. Output: batch x 2 hidden x height x
    width, tanh of both directions' last states joined by a 3x3 convolution, which does the
    paper's ``tanh(W_f * H_f + W_b * H_b + b)`` at once. As in Keras's ConvLSTM2D there are no
    peephole weights: they would fix the size of the picture.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        # One convolution serves both directions and both steps: it only differs in which
        # outputs are read, and one wide convolution runs faster than four narrow ones.
        self.look = nn.Conv2d(channels, 8 * hidden, 3, padding=1)
        self.recall = nn.ModuleList(nn.Conv2d(hidden, 4 * hidden, 3, padding=1, bias=False) for _ in range(2))
        self.join = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1)
        with torch.no_grad():  # a forget gate that starts open lets both steps count from the outset
            for direction in range(2):
                at = direction * 4 * hidden + hidden
                self.look.bias[at : at + hidden].fill_(1.0)  # type: ignore[index]

    def _first(self, gates: Tensor) -> tuple[Tensor, Tensor]:
        """The state after the first step: nothing is remembered yet, so no forget gate."""
        i, _, g, o = gates.chunk(4, 1)
        cell = torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell

    def _second(self, gates: Tensor, cell: Tensor) -> Tensor:
        i, f, g, o = gates.chunk(4, 1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell)

    def forward(self, skipped: Tensor, risen: Tensor) -> Tensor:
        forth_a, back_a = self.look(skipped).chunk(2, 1)
        forth_b, back_b = self.look(risen).chunk(2, 1)
        ends = []
        for recall, first, second in zip(self.recall, (forth_a, back_b), (forth_b, back_a), strict=True):
            state, cell = self._first(first)
            ends.append(self._second(second + recall(state), cell))
        return torch.tanh(self.join(torch.cat(ends, 1)))


class DenseBottom(nn.Module):
    """The last contracting step: ``blocks`` double convolutions, each fed with all before it."""

    def __init__(self, inputs: int, outputs: int, blocks: int) -> None:
        super().__init__()
        feeds = [inputs, *(n * outputs for n in range(1, blocks))]
        self.blocks = nn.ModuleList(double(feed, outputs) for feed in feeds)

    def forward(self, x: Tensor) -> Tensor:
        seen = [self.blocks[0](x)]
        for block in self.blocks[1:]:
            seen.append(block(torch.cat(seen, 1)))
        return seen[-1]


class BCDUNet(nn.Module):
    """Four contracting steps, the last densely connected; three steps up through ConvLSTMs.

    Input: float32, batch x 1 x height x width, grey 0..1, sides divisible by 8.
    Output: batch x 1 x height x width logits of "lung".
    The paper has 64 channels at the top and three dense blocks; ``width`` and ``dense`` set both.
    Beyond the paper every convolution is normalised, which trains in a third of the epochs.
    """

    def __init__(self, width: int = 16, dense: int = 3, channels: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.down = nn.ModuleList(double(i, o) for i, o in zip([channels, *widths[:2]], widths[:3], strict=True))
        self.pool = nn.MaxPool2d(2)
        self.dense = DenseBottom(widths[2], widths[3], dense)
        self.dropout = nn.Dropout2d(dropout)
        pairs = list(zip(widths[::-1][:-1], widths[::-1][1:], strict=True))
        self.rise = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(i, o, 2, 2), nn.BatchNorm2d(o), nn.ReLU(inplace=True)) for i, o in pairs
        )
        self.join = nn.ModuleList(BiConvLSTM(o, o // 2) for _, o in pairs)
        self.up = nn.ModuleList(double(o, o) for _, o in pairs)
        self.head = nn.Conv2d(width, 1, 1)

    def bottom(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The deepest features (batch x 8 width x height/8 x width/8) and those skipped on the way."""
        skipped = []
        for step in self.down:
            x = step(x)
            skipped.append(x)
            x = self.pool(x)
        return self.dropout(self.dense(x)), skipped

    def rebuild(self, x: Tensor, skipped: list[Tensor]) -> Tensor:
        """From what `bottom` returns to logits at the input's size."""
        for rise, join, up, skip in zip(self.rise, self.join, self.up, reversed(skipped), strict=True):
            x = up(join(skip, rise(x)))
        return self.head(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.rebuild(*self.bottom(x))
