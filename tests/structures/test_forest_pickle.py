from __future__ import annotations

import pickle

import torch

from cellwise.layers import Recursive
from cellwise.structures.forest import Forest


def test_a_forest_goes_to_another_process_without_what_folds_worked_out():
    forest = Forest.from_children([[[1, 2], [], []]])
    fresh = len(pickle.dumps(forest))
    layer, x = Recursive("tree_lstm", 3, 4, direction=("up", "down")), torch.randn(3, 3)
    y, _ = layer(x, forest)
    content = pickle.dumps(forest)
    assert len(content) < 2 * fresh
    again = pickle.loads(content)  # noqa: S301 - our own
    assert again == forest
    assert torch.equal(layer(x, again)[0], y)
