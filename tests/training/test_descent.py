from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cellwise.training.descent import Descent, WildNumberError
from cellwise.training.processes import Processes
from cellwise.training.settings import TrainingConfig
from tests.tolerances import TOLERANCE
from tests.training.toy import Toy, ToyData, ToyDecoding, ToyModel, make

EXAMPLES = make(24, seed=1)
WHOLE = [EXAMPLES]
PARTS = [EXAMPLES[:5], EXAMPLES[5:6], EXAMPLES[6:17], EXAMPLES[17:]]


class Exact(Toy):
    """The toy in float64, with a loss whose units are letters, so that parts differ in weight."""

    def collate(self, examples):
        batch = super().collate(examples)
        return replace(batch, counts=batch.counts.double())

    def loss(self, model, batch):
        return super().loss(model, batch)[0], int(batch.counts.sum())


def descent_of(**settings):
    task = Exact(ToyData(), ToyModel(dropout=0), ToyDecoding())
    task.fit(EXAMPLES)
    torch.manual_seed(0)
    config = TrainingConfig(device="cpu", **settings)
    return Descent(task, task.build().double(), config, Processes("cpu"))


def weights(descent):
    return [p.detach().clone() for p in descent.model.parameters()]


SETTINGS = [
    {"optimizer": "sgd", "clip_norm": 0.0},
    {"optimizer": "sgd", "clip_norm": 0.05, "momentum": 0.0, "weight_decay": 0.1},
    {"optimizer": "adamw", "weight_decay": 0.1},
    {"optimizer": "adagrad"},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_gradients_of_many_batches_are_that_of_one_large_batch(settings):
    many, one = descent_of(**settings), descent_of(**settings)
    for _ in range(3):
        found, expected = many.step(PARTS, 0.1), one.step(WHOLE, 0.1)
        torch.testing.assert_close(found[0], expected[0], **TOLERANCE[torch.float64]["exact"])
        assert found[1] == expected[1]
    torch.testing.assert_close(weights(many), weights(one), **TOLERANCE[torch.float64]["grad"])


def test_sgd_without_momentum_follows_the_gradient_and_keeps_nothing():
    descent = descent_of(optimizer="sgd", momentum=0.0, clip_norm=0.0)
    before = weights(descent)
    loss, units = descent.task.loss(descent.model, descent.task.collate(EXAMPLES))
    slopes = torch.autograd.grad(loss / units, list(descent.model.parameters()))
    descent.step(WHOLE, 0.5)
    expected = [weight - 0.5 * slope for weight, slope in zip(before, slopes, strict=True)]
    torch.testing.assert_close(weights(descent), expected, **TOLERANCE[torch.float64]["exact"])
    assert not any(
        value is not None
        for state in descent.optimiser.state_dict()["state"].values()
        for value in state.values()
    )


def test_the_weights_stay_when_a_number_is_wild():
    descent = descent_of()
    before = weights(descent)
    descent.task.model.explode_at = 3
    with pytest.raises(WildNumberError, match="the loss is nan"):
        descent.step(PARTS, 0.1)
    assert all(map(torch.equal, weights(descent), before))


def test_batches_without_units_change_nothing_but_what_decays():
    descent = descent_of(optimizer="sgd", clip_norm=0.0, momentum=0.0)
    before = weights(descent)
    descent.task.loss = lambda model, batch: (model(batch.counts).sum() * 0.0, 0)
    assert descent.step(PARTS, 0.1) == (0.0, 0, 0)
    assert all(map(torch.equal, weights(descent), before))
