import pytest
import torch
from torch import nn, optim

from cellwise.training.optimisers import (
    build_optimiser,
    optimiser_tensors,
    restore_optimiser,
    set_rate,
)
from cellwise.training.settings import TrainingConfig
from tests.tolerances import TOLERANCE

NAMES = ["adam", "adamw", "sgd"]
EXACT = TOLERANCE[torch.float64]["exact"]


def model_of():
    torch.manual_seed(0)
    return nn.Linear(4, 3).double()


def stepped(model, optimiser, count, first=0):
    for step in range(first, first + count):
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(5, 4, dtype=torch.float64, generator=generator)
        optimiser.zero_grad()
        model(x).square().sum().backward()
        optimiser.step()


def weights(model):
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("name", NAMES)
def test_one_pass_over_all_parameters_is_one_parameter_after_the_other(name):
    config = TrainingConfig(optimizer=name, learning_rate=0.1, weight_decay=0.01)
    fused, plain = model_of(), model_of()
    stepped(fused, build_optimiser(fused, config), 5)
    groups = [{"params": [plain.weight], "weight_decay": 0.01}, {"params": [plain.bias]}]
    kinds = {"adam": optim.Adam, "adamw": optim.AdamW, "sgd": optim.SGD}
    more = {"momentum": config.momentum} if name == "sgd" else {}
    one_by_one = kinds[name](groups, lr=0.1, weight_decay=0.0, foreach=False, fused=False, **more)
    stepped(plain, one_by_one, 5)
    torch.testing.assert_close(weights(fused), weights(plain), **EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_state_goes_on_bit_for_bit(name):
    config = TrainingConfig(optimizer=name, learning_rate=0.1)
    whole, parts = model_of(), model_of()
    stepped(whole, build_optimiser(whole, config), 6)
    first = build_optimiser(parts, config)
    stepped(parts, first, 3)
    second = build_optimiser(parts, config)
    restore_optimiser(second, optimiser_tensors(first))
    stepped(parts, second, 3, first=3)
    assert all(map(torch.equal, weights(whole), weights(parts)))


def test_a_rate_of_zero_changes_nothing():
    model = model_of()
    before = weights(model)
    optimiser = build_optimiser(model, TrainingConfig(optimizer="adam"))
    set_rate(optimiser, 0.0)
    stepped(model, optimiser, 1)
    assert all(map(torch.equal, weights(model), before))
