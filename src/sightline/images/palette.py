"""The colours of drawings."""

from __future__ import annotations

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""

# Okabe and Ito (2008): told apart by people with any kind of colour vision, and on grey.
PALETTE: tuple[Colour, ...] = (
    (0, 158, 115),
    (230, 159, 0),
    (86, 180, 233),
    (213, 94, 0),
    (204, 121, 167),
    (240, 228, 66),
    (0, 114, 178),
)


def colour_of(index: int) -> Colour:
    """The colour of the thing with this number (0 or more): the palette, then lighter, then darker, and over again."""
    red, green, blue = PALETTE[index % len(PALETTE)]
    match index // len(PALETTE) % 3:
        case 1:
            return tuple((value + 255) // 2 for value in (red, green, blue))  # type: ignore[return-value]
        case 2:
            return tuple(value * 3 // 5 for value in (red, green, blue))  # type: ignore[return-value]
    return red, green, blue
