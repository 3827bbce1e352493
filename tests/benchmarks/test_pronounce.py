from __future__ import annotations

import pytest
import torch

from benchmarks import pronounce
from benchmarks.pronounce import TorchLayer, measure, rows
from cellwise.errors import ConfigError
from cellwise.layers import Recurrent
from cellwise.tasks import TASKS
from cellwise.training.progress import Reporter
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float32]["exact"]
PAIRS = "tea\tT IY\neat\tIY T\nate\tEY T\ntee\tT IY\n"


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


def test_both_trainings_are_the_same_in_little(tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, pronounce.WITH_TORCH, pronounce.TransduceWithTorch)
    data = tmp_path / "few.tsv"
    data.write_text(PAIRS)
    overrides = [f"data.{part}={data}" for part in ("train", "dev", "test")]
    overrides += ["data.source=files", "training.epochs=3", "training.batch_size=2"]
    overrides += ["model.hidden_size=8", "model.embedding_size=4", "training.tensorboard=false"]
    found = measure(overrides, tmp_path / "runs", Reporter())
    assert list(found) == ["ours", "torch.nn"]
    losses = [one.metrics["loss"] for one in found.values()]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    table = rows(found)
    assert [row[0] for row in table] == ["ours", "torch.nn"]
    assert table[0][-1] == "1.00"
