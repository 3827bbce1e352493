from __future__ import annotations

import pytest
import torch
from torch import nn

from cellwise.errors import ConfigError
from cellwise.training import run
from cellwise.training.precision import Precision
from tests.training.test_loop import configure

CPU = torch.device("cpu")


def test_float16_is_refused_where_it_gains_nothing(tmp_path):
    with pytest.raises(ConfigError) as caught:
        run.train(configure(tmp_path, "training.precision=float16"), tmp_path / "run")
    assert str(caught.value) == (
        "training.precision = \"float16\" is for CUDA devices; on 'cpu' nothing is gained by it, "
        'and its range is small. Write "bfloat16" or "float32"'
    )


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_products_of_training_are_in_the_chosen_precision(tmp_path, monkeypatch, name):
    config = configure(tmp_path, f"training.precision={name}", "training.epochs=1")
    kind = type(config.make_task())
    seen: dict[str, set[torch.dtype]] = {"loss": set(), "evaluate": set(), "gradient": set()}

    def watch(method):
        original = getattr(kind, method)

        def watched(self, model, *args, **more):
            hook = model[0].register_forward_hook(lambda _m, _in, out: seen[method].add(out.dtype))
            try:
                return original(self, model, *args, **more)
            finally:
                hook.remove()
                seen["gradient"] |= {p.grad.dtype for p in model.parameters() if p.grad is not None}

        monkeypatch.setattr(kind, method, watched)

    watch("loss")
    watch("evaluate")
    outcome = run.train(config, tmp_path / "run")
    assert outcome.best_value is not None
    assert seen == {
        "loss": {getattr(torch, name)},
        "evaluate": {torch.float32},
        "gradient": {torch.float32},
    }


def scaled(factor):
    """A model of one weight that float16's way of working trains, on the CPU for this test."""
    torch.manual_seed(0)
    model = nn.Linear(1, 1, bias=False)
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    precision = Precision("float32", CPU)
    precision._scaler = torch.amp.GradScaler("cpu", init_scale=factor)
    return model, optimiser, precision


def step(model, optimiser, precision, x=1.0):
    optimiser.zero_grad()
    precision.scaled(model(torch.full((1, 1), x)).sum()).backward()
    precision.unscale(optimiser)
    precision.step(optimiser)


def test_the_scale_of_the_loss_does_not_change_the_step():
    model, optimiser, precision = scaled(2.0**10)
    before = model.weight.item()
    step(model, optimiser, precision, x=0.25)
    assert model.weight.item() == before - 0.25


def test_a_step_that_overflows_is_left_out_and_the_scale_halved():
    model, optimiser, precision = scaled(2.0**127)
    before = model.weight.item()
    assert precision.may_overflow
    step(model, optimiser, precision, x=4.0)
    assert model.weight.item() == before
    assert precision.record()["scale"] == 2.0**126


def test_an_infinite_gradient_at_the_smallest_scale_is_no_overflow():
    assert not scaled(2.0**-14)[2].may_overflow
    assert not Precision("float32", CPU).may_overflow


def test_the_scale_is_restored():
    _, _, first = scaled(2.0**20)
    _, _, second = scaled(2.0)
    second.restore(first.record())
    assert second.record() == first.record()
    assert Precision("bfloat16", CPU).record() == {}
