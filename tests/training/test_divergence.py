"""Trainings whose numbers turn infinite or NaN end with one message and a checkpoint."""

from __future__ import annotations

import pytest
import torch

from cellwise.training import run
from cellwise.training.checkpoints import load_checkpoint
from cellwise.training.stops import DivergedError
from tests.training.test_loop import configure
from tests.training.toy import Toy


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    from cellwise.tasks import TASKS

    monkeypatch.setitem(TASKS, "toy", Toy)


def test_a_nan_loss_stops_with_step_rate_and_advice(tmp_path):
    config = configure(tmp_path, "model.explode_at=10", "training.schedule=constant")
    with pytest.raises(DivergedError) as caught:
        run.train(config, tmp_path / "run")
    assert str(caught.value) == (
        "the loss became nan at step 10 (epoch 2), with learning rate 0.03.\n"
        "  Try a smaller training.learning_rate, more training.warmup_steps, or a smaller "
        "training.clip_norm.\n"
        "  The checkpoint of step 8 is kept. Go on from there with:\n"
        f"  cellwise train {tmp_path / 'run'} --resume --set training.learning_rate=0.01"
    )
    assert load_checkpoint(tmp_path / "run").state["position"]["step"] == 8


def test_a_nan_before_the_first_checkpoint_says_that_there_is_none(tmp_path):
    with pytest.raises(DivergedError, match="No checkpoint was written yet"):
        run.train(configure(tmp_path, "model.explode_at=2"), tmp_path / "run")


def test_an_infinite_gradient_stops_before_the_weights_take_it(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.nn.utils, "get_total_norm", lambda _: torch.tensor(torch.inf))
    with pytest.raises(DivergedError, match="the gradient became inf at step 1"):
        run.train(configure(tmp_path), tmp_path / "run")


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_dev_metric_that_is_no_number_ends_training_with_one_message(
    tmp_path, monkeypatch, value
):
    evaluate = Toy.evaluate

    def judge(self, model, examples, **options):
        found = evaluate(self, model, examples, **options)
        return found if self.calls <= 8 else {"accuracy": value}

    monkeypatch.setattr(Toy, "evaluate", judge)
    with pytest.raises(DivergedError) as caught:
        run.train(configure(tmp_path), tmp_path / "run")
    assert str(caught.value).startswith(
        f"the dev metric accuracy became {value} at step 16 (epoch 2), with learning rate 0."
    )
    assert "The checkpoint of step 8 is kept." in str(caught.value)


def test_the_advice_is_of_the_highest_rate_whatever_it_has_come_down_to(tmp_path):
    config = configure(tmp_path, "model.explode_at=10", "training.schedule=linear")
    with pytest.raises(DivergedError) as caught:
        run.train(config, tmp_path / "run")
    assert str(caught.value).endswith("--set training.learning_rate=0.01")
