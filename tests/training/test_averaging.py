from __future__ import annotations

import pytest
import torch
from torch import nn

from cellwise.training import run
from cellwise.training.averaging import Average
from cellwise.training.checkpoints import load_checkpoint, read_tensors
from cellwise.training.loop import Loop
from cellwise.training.position import Position
from cellwise.training.settings import TrainingConfig
from tests.tolerances import TOLERANCE
from tests.training.test_loop import configure

EXACT = TOLERANCE[torch.float64]["exact"]


class Walk:
    """A model whose weights go through given values, ten steps an epoch."""

    def __init__(self, total=40, **settings):
        self.model = nn.Linear(3, 1, bias=False).double()
        self.average = Average(self.model, TrainingConfig(epochs=4, **settings), total)
        self.at = Position()
        self.passed: list[torch.Tensor] = []

    def go(self, steps):
        for _ in range(steps):
            generator = torch.Generator().manual_seed(self.at.step)
            with torch.no_grad():
                self.model.weight.copy_(torch.randn(1, 3, generator=generator))
            self.passed.append(self.model.weight.detach().clone())
            self.at.step += 1
            over = self.at.step % 10 == 0
            self.average.update(self.at, epoch_over=over)
            if over:
                self.at.close_epoch()

    @property
    def found(self):
        return self.average.model.get_parameter("weight").detach()


def test_without_averaging_the_model_is_the_model():
    walk = Walk()
    walk.go(3)
    assert walk.average.model is walk.model
    assert walk.average.tensors() == {}


def test_the_exponential_average_is_the_recursion_of_its_definition():
    walk = Walk(averaging="exponential", averaging_decay=0.9, averaging_start=0.25)
    walk.go(10)
    assert walk.average.model is walk.model
    walk.go(20)
    expected = walk.passed[10]
    for weights in walk.passed[11:]:
        expected = 0.9 * expected + 0.1 * weights
    torch.testing.assert_close(walk.found, expected, **EXACT)


def test_the_stochastic_average_is_the_mean_over_the_ends_of_epochs():
    walk = Walk(averaging="stochastic", averaging_start=0.25)
    walk.go(19)
    assert walk.average.model is walk.model
    walk.go(21)
    ends = torch.stack([walk.passed[i] for i in (19, 29, 39)])
    torch.testing.assert_close(walk.found, ends.mean(0), **EXACT)


@pytest.mark.parametrize("kind", ["exponential", "stochastic"])
def test_training_never_starts_from_the_average(tmp_path, kind):
    settings = [f"training.averaging={kind}", "training.averaging_start=0"]
    run.train(configure(tmp_path), tmp_path / "plain")
    run.train(configure(tmp_path, *settings), tmp_path / "averaged")
    plain, averaged = (load_checkpoint(tmp_path / name) for name in ("plain", "averaged"))
    for group in ("model", "optimiser"):
        for name, tensor in plain.tensors[group].items():
            assert torch.equal(tensor, averaged.tensors[group][name])


def test_the_average_is_what_is_evaluated_and_saved(tmp_path, monkeypatch):
    ends: list[dict[str, torch.Tensor]] = []
    original = Loop._save

    def save(self):
        original(self)
        ends.append({k: v.clone() for k, v in self.model.state_dict().items()})

    monkeypatch.setattr(Loop, "_save", save)
    settings = ["training.averaging=stochastic", "training.averaging_start=0.5"]
    config = configure(tmp_path, *settings, "training.epochs=6", "model.dropout=0")
    values: list[float] = []
    kind = type(config.make_task())
    evaluate = kind.evaluate

    def judge(self, model, *args, **more):
        values.append(float(model[0].weight.sum()))
        # The metric says that the last model is the best.
        return {**evaluate(self, model, *args, **more), "accuracy": float(len(values))}

    monkeypatch.setattr(kind, "evaluate", judge)
    outcome = run.train(config, tmp_path / "run")
    assert outcome.best_epoch == 6
    saved = read_tensors(tmp_path / "run" / "model.safetensors")
    bounds = TOLERANCE[torch.float32]["exact"]
    for name, tensor in saved.items():
        mean = torch.stack([end[name] for end in ends[3:6]]).mean(0)
        torch.testing.assert_close(tensor, mean, **bounds)
    shown = torch.tensor(values)
    raw = torch.tensor([float(end["0.weight"].sum()) for end in ends])
    assert torch.equal(shown[:4], raw[:4])
    torch.testing.assert_close(shown[5], saved["0.weight"].sum(), **bounds)
    assert not torch.equal(shown[4:], raw[4:])


@pytest.mark.parametrize("kind", ["exponential", "stochastic"])
def test_an_average_that_has_begun_goes_on_when_epochs_are_added(tmp_path, kind):
    begun = ["training.epochs=2", f"training.averaging={kind}", "training.averaging_start=0"]
    folder = tmp_path / "run"
    run.train(configure(tmp_path, *begun), folder)
    more = configure(tmp_path, *begun[1:2], "training.epochs=5", "training.averaging_start=0.99")
    run.train(more, folder, resume=True)
    found = load_checkpoint(folder)
    all_of_them = {"exponential": found.state["position"]["step"], "stochastic": 5}
    assert found.tensors["average"]["n_averaged"] == all_of_them[kind]


def test_an_average_of_another_kind_begins_anew(tmp_path):
    folder, start = tmp_path / "run", "training.averaging_start=0"
    first = configure(tmp_path, "training.epochs=2", "training.averaging=exponential", start)
    run.train(first, folder)
    second = configure(tmp_path, "training.epochs=4", "training.averaging=stochastic", start)
    run.train(second, folder, resume=True)
    assert load_checkpoint(folder).tensors["average"]["n_averaged"] == 2  # ends of epochs
