"""The plot of tuning."""

from __future__ import annotations

import numpy as np

from sightline.console import scatter


def test_every_point_is_seen_and_named() -> None:
    few = scatter.draw([(10, 100, "one")], ("x", "y"), "title")
    more = scatter.draw([(10, 100, "one"), (5, 50, "two"), (0, 0, "")], ("x", "y"), "title")
    assert few.size == more.size == (1100, 700)
    changed = np.argwhere((np.asarray(few) != np.asarray(more)).any(axis=2))
    assert len(changed) > 300
    assert changed[:, 1].max() > 770  # the label in the column at the right
