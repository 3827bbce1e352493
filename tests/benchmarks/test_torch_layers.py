from __future__ import annotations

import pytest
import torch

from benchmarks.torch_layers import TorchLayer, with_torch
from cellwise.errors import ConfigError
from cellwise.layers import Recurrent
from cellwise.tasks import Parse
from cellwise.training.config import load_config
from tests.tasks import phrases
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float32]["exact"]


@pytest.mark.parametrize("cell", ["lstm", "gru_v3", "elman"])
@pytest.mark.parametrize("both_ways", [False, True])
def test_the_layer_in_its_place_computes_the_same(cell, both_ways):
    layer = Recurrent(cell, 3, 4, bidirectional=both_ways, backend="reference")
    other, lengths = TorchLayer(layer), torch.tensor([3, 6, 1])
    x = torch.randn(6, 3, 3)
    (y, state), (torch_y, torch_state) = layer(x, lengths=lengths), other(x, lengths=lengths)
    torch.testing.assert_close(torch_y, y, **EXACT)
    for mine, its in zip(state, torch_state, strict=True):
        torch.testing.assert_close(its, mine, **EXACT)
    torch.testing.assert_close(other(x, torch_state)[0], layer(x, state)[0], **EXACT)


def test_it_learns_as_many_numbers_and_draws_none():
    layer = Recurrent("lstm", 3, 4)
    torch.manual_seed(1)
    learned = [p for p in TorchLayer(layer).parameters() if p.requires_grad]
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))
    assert sum(p.numel() for p in learned) == sum(p.numel() for p in layer.parameters())


def test_a_cell_that_torch_has_not_is_refused():
    with pytest.raises(ConfigError, match=r"^torch\.nn has no lem$"):
        TorchLayer(Recurrent("lem", 3, 4))


def test_a_layer_of_torch_reads_sequences_without_steps():
    layer = Recurrent("lstm", 3, 4, bidirectional=True, backend="reference")
    x, lengths = torch.randn(5, 3, 3), torch.tensor([5, 0, 2])
    (y, _), (other, _) = layer(x, lengths=lengths), TorchLayer(layer)(x, lengths=lengths)
    torch.testing.assert_close(other[:, [0, 2]], y[:, [0, 2]], **EXACT)


def test_every_recurrent_layer_is_replaced(tmp_path):
    path = phrases.write(tmp_path / "trees.mrg")
    config = load_config("parse", [f"data.{part}={path}" for part in ("train", "dev", "test")])
    ours = config.make_task()
    task = with_torch(Parse)(ours.data, ours.model, ours.decoding)
    before, after = (list(built(which).modules()) for which in (ours, task))
    n_layers = sum(isinstance(module, Recurrent) for module in before)
    assert n_layers == sum(isinstance(module, TorchLayer) for module in after) > 1
    assert not any(isinstance(module, Recurrent) for module in after)


def built(task):
    task.fit(task.read("train"))
    return task.build()
