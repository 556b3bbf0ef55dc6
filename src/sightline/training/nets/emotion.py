"""Networks that read a facial expression from a grey face crop.

Two of them: `EmotionNet`, the one that Sightline ships, and `EmotionClassic`, the plain
convolutional network of a thousand courses, kept so that its old weights can be loaded.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import ConvNormAct, SqueezeExcite

__all__ = ["EMOTIONS", "EmotionClassic", "EmotionNet"]

EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""The seven classes of FER2013 in the order of every network's outputs (alphabetical)."""


class Standardise(nn.Module):
    """Brings every picture to mean 0 and deviation 1, so that lighting does not matter.

    It lives in the network and not in the card: whoever serves the file cannot forget it.
    """

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean((1, 2, 3), keepdim=True)
        # Written with multiplications only: `std` has no gradient at a blank picture.
        variance = (centred * centred).mean((1, 2, 3), keepdim=True)
        return centred * torch.rsqrt(variance + 1e-3)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with squeeze-and-excitation beside a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = ConvNormAct(inputs, outputs)
        self.second = ConvNormAct(outputs, outputs, act=None)
        self.attend = SqueezeExcite(outputs)
        self.shortcut: nn.Module = nn.Identity() if inputs == outputs else ConvNormAct(inputs, outputs, 1, act=None)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.attend(self.second(self.first(x))) + self.shortcut(x))


class EmotionNet(nn.Module):
    """Compact residual network for 48x48 grey face crops.

    Input: float32, batch x 1 x 48 x 48, grey 0..1 (any size from 32 to 96 works).
    Output: float32, batch x 7 logits in the order of `EMOTIONS`.
    While training, `votes` reads the annotators' votes (FER+) from the same features: a
    second, cleaner lesson that shapes the features and is left out of the exported file.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (32, 64, 128, 208),
        blocks: tuple[int, int, int] = (1, 2, 1),
        classes: int = len(EMOTIONS),
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        stem, *stages = widths
        layers: list[nn.Module] = [ConvNormAct(1, stem), ConvNormAct(stem, stem), nn.MaxPool2d(2)]
        inputs = stem
        for number, (outputs, repeats) in enumerate(zip(stages, blocks, strict=True)):
            if number:
                layers.append(nn.MaxPool2d(2))
            for _ in range(repeats):
                layers.append(ResidualBlock(inputs, outputs))
                inputs = outputs
        self.standardise = Standardise()
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(inputs, classes)
        self.votes = nn.Linear(inputs, classes)

    def features(self, x: Tensor) -> Tensor:
        """Batch x widths[-1] numbers a face."""
        return self.dropout(self.body(self.standardise(x)).mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the label and logits of the votes, for training."""
        features = self.features(x)
        return self.head(features), self.votes(features)


class EmotionClassic(nn.Module):
    """`emotion-classic`: the plain network many projects trained on FER2013.

    3x3 convolutions without padding and ReLU: 32, 64, 2x2 max pooling, dropout 0.25; 128,
    pooling; 128, pooling; dropout 0.25; dense 1024, ReLU; dropout 0.5; dense 7.
    Input: float32, batch x 1 x 48 x 48, grey 0..1. Output: batch x 7 logits in the order of
    `EMOTIONS`; `probabilities=True` puts the original's softmax behind them.
    """

    def __init__(self, classes: int = len(EMOTIONS), *, probabilities: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
            nn.Conv2d(64, 128, 3),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(128, 128, 3),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
        )
        self.hidden = nn.Linear(128 * 4 * 4, 1024)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(1024, classes)
        self.probabilities = probabilities

    def forward(self, x: Tensor) -> Tensor:
        # Keras flattens height x width x channels; the same order here lets old weights load
        # into `hidden` with a transpose and nothing else.
        flat = self.body(x).permute(0, 2, 3, 1).flatten(1)
        logits = self.head(self.dropout(torch.relu(self.hidden(flat))))
        return logits.softmax(1) if self.probabilities else logits
