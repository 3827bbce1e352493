import pytest
import torch
from torch import nn, optim

from cellwise.training.optimisers import (
    build_optimiser,
    gradients,
    optimiser_tensors,
    restore_optimiser,
    set_rate,
)
from cellwise.training.settings import TrainingConfig
from tests.tolerances import TOLERANCE

NAMES = ["adam", "adamw", "adagrad", "sgd"]
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
    kinds = {"adam": optim.Adam, "adamw": optim.AdamW, "adagrad": optim.Adagrad, "sgd": optim.SGD}
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
    restore_optimiser(second, parts, optimiser_tensors(first, parts))
    stepped(parts, second, 3, first=3)
    assert all(map(torch.equal, weights(whole), weights(parts)))


def test_a_rate_of_zero_changes_nothing():
    model = model_of()
    before = weights(model)
    optimiser = build_optimiser(model, TrainingConfig(optimizer="adam"))
    set_rate(optimiser, 0.0)
    stepped(model, optimiser, 1)
    assert all(map(torch.equal, weights(model), before))


class Words(nn.Module):
    """A table of vectors, one of padding, and a layer that reads them."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(7, 4, padding_idx=0).double()
        self.layer = nn.Linear(4, 3).double()

    def forward(self, words):
        return self.layer(self.table(words))


def trained(model, optimiser, limit):
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        optimiser.zero_grad()
        model(torch.randint(0, 7, (5,), generator=generator)).square().sum().backward()
        found = gradients(model)
        norm = float(nn.utils.get_total_norm(found))
        torch._foreach_mul_(found, min(1.0, limit / norm))
        optimiser.step()
    return weights(model)


def test_rows_of_a_table_are_learnt_as_the_whole_table_is():
    config = TrainingConfig(optimizer="adagrad", learning_rate=0.1)
    rows, whole = Words(), Words()
    sparse, dense = build_optimiser(rows, config), build_optimiser(whole, config, alone=False)
    found, wanted = trained(rows, sparse, 0.5), trained(whole, dense, 0.5)
    assert [
        m.table.weight.grad is not None and m.table.weight.grad.is_sparse for m in (rows, whole)
    ] == [True, False]
    torch.testing.assert_close(found, wanted, **EXACT)
    states = optimiser_tensors(sparse, rows), optimiser_tensors(dense, whole)
    torch.testing.assert_close(*states, **EXACT)


@pytest.mark.parametrize(
    "config",
    [{"optimizer": "adam"}, {"optimizer": "adagrad", "weight_decay": 0.1}],
)
def test_what_changes_rows_without_a_gradient_gets_the_whole_one(config):
    model = Words()
    build_optimiser(model, TrainingConfig(**config))
    assert not model.table.sparse


def test_a_table_that_another_module_reads_too_has_a_whole_gradient():
    model = Words()
    model.again = nn.Linear(4, 7, bias=False).double()
    model.again.weight = model.table.weight
    build_optimiser(model, TrainingConfig(optimizer="adagrad"))
    assert not model.table.sparse


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.01), (0.01, 0.0)])
def test_a_state_finds_its_parameters_when_torch_numbers_them_otherwise(before, after):
    """AdaGrad has tables of vectors in a group of their own, unless weights decay."""
    model = Words()
    first = build_optimiser(model, TrainingConfig(optimizer="adagrad", weight_decay=before))
    trained(model, first, 0.5)
    second = build_optimiser(model, TrainingConfig(optimizer="adagrad", weight_decay=after))
    restore_optimiser(second, model, optimiser_tensors(first, model))
    for parameter in model.parameters():
        assert torch.equal(second.state[parameter]["sum"], first.state[parameter]["sum"])


def test_a_state_with_torchs_numbers_is_read_too():
    config = TrainingConfig(optimizer="adam", learning_rate=0.1)
    model = model_of()
    first, second = build_optimiser(model, config), build_optimiser(model, config)
    stepped(model, first, 3)
    numbered = {
        f"{number}.{name}": value
        for number, state in first.state_dict()["state"].items()
        for name, value in state.items()
    }
    restore_optimiser(second, model, numbered)
    for parameter in model.parameters():
        assert torch.equal(second.state[parameter]["exp_avg"], first.state[parameter]["exp_avg"])


def test_a_state_of_another_shape_is_refused():
    model = model_of()
    optimiser = build_optimiser(model, TrainingConfig(optimizer="adam"))
    with pytest.raises(ValueError, match="another shape than its parameter"):
        restore_optimiser(optimiser, model, {"exp_avg.weight": torch.zeros(2, 2)})


def test_what_adagrads_state_lacks_begins_anew():
    model = model_of()
    first = build_optimiser(model, TrainingConfig(optimizer="adagrad"))
    stepped(model, first, 2)
    found = optimiser_tensors(first, model)
    del found["sum.bias"]
    second = build_optimiser(model, TrainingConfig(optimizer="adagrad"))
    restore_optimiser(second, model, found)
    assert torch.equal(second.state[model.weight]["sum"], first.state[model.weight]["sum"])
    assert not second.state[model.bias]["sum"].any()
    stepped(model, second, 1)
