"""The colours of CSS by name, and the twelve simple names that they fall under."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ImageColor

# The extended colour keywords of CSS Color Module Level 3 (section 4.3), grouped by hue. Where CSS has two names for a
# colour, one stands here: as Rekognition's answers spell it, where one is known.
SIMPLE: dict[str, str] = {
    "black": "black",
    "blue": (
        "midnightblue navy darkblue mediumblue blue royalblue steelblue dodgerblue deepskyblue "
        "cornflowerblue skyblue lightskyblue lightsteelblue lightblue powderblue"
    ),
    "brown": (
        "maroon brown saddlebrown sienna chocolate darkgoldenrod peru rosybrown goldenrod "
        "sandybrown tan burlywood wheat navajowhite bisque blanchedalmond cornsilk"
    ),
    "cyan": (
        "teal darkcyan lightseagreen cadetblue darkturquoise mediumturquoise turquoise cyan "
        "aquamarine paleturquoise lightcyan"
    ),
    "green": (
        "darkgreen green darkolivegreen forestgreen seagreen olive olivedrab mediumseagreen "
        "limegreen lime springgreen mediumspringgreen darkseagreen mediumaquamarine yellowgreen "
        "lawngreen chartreuse lightgreen greenyellow palegreen"
    ),
    "grey": "darkslategrey dimgrey slategrey gray lightslategrey darkgrey silver lightgrey gainsboro",
    "orange": "orangered tomato darkorange coral orange",
    "pink": "mediumvioletred deeppink palevioletred hotpink lightpink pink",
    "purple": (
        "indigo purple darkmagenta darkviolet darkslateblue blueviolet darkorchid magenta "
        "slateblue mediumslateblue mediumorchid mediumpurple orchid violet plum thistle lavender"
    ),
    "red": "darkred red firebrick crimson indianred lightcoral salmon darksalmon lightsalmon",
    "white": (
        "mistyrose antiquewhite linen beige whitesmoke lavenderblush oldlace aliceblue seashell "
        "ghostwhite honeydew floralwhite azure mintcream snow ivory white"
    ),
    "yellow": (
        "darkkhaki gold khaki peachpuff yellow palegoldenrod moccasin papayawhip "
        "lightgoldenrodyellow lemonchiffon lightyellow"
    ),
}


@cache
def _table() -> tuple[tuple[str, ...], tuple[str, ...], npt.NDArray[np.float32]]:
    """CSS names, their simple names, and their CIE Lab (N x 3)."""
    pairs = [(css, simple) for simple, names in SIMPLE.items() for css in names.split()]
    names, simple = zip(*pairs, strict=True)
    bytes_ = np.array([ImageColor.getrgb(name) for name in names], np.uint8)
    return names, simple, to_lab(bytes_)


def to_lab(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """CIE Lab (D65; L 0..100) of sRGB bytes, both N x 3."""
    unit = colours.astype(np.float32)[None] * np.float32(1 / 255)
    return np.asarray(cv2.cvtColor(unit, cv2.COLOR_RGB2Lab)[0], np.float32)


def to_rgb(lab: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint8]:
    """The nearest sRGB bytes of CIE Lab colours, both N x 3."""
    unit = cv2.cvtColor(np.ascontiguousarray(lab, np.float32)[None], cv2.COLOR_Lab2RGB)[0]
    return np.asarray(np.clip(unit * 255 + 0.5, 0, 255), np.uint8)


def names_of(colour: npt.NDArray[np.uint8]) -> tuple[str, str]:
    """The name of the CSS colour nearest to three sRGB bytes in CIE Lab, and its simple name."""
    css, simple, table = _table()
    nearest = int(((table - to_lab(colour[None])) ** 2).sum(axis=1).argmin())
    return css[nearest], simple[nearest]
