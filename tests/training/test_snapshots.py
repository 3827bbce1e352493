"""A run that goes on equals one that was never stopped, whatever the settings; so do old ones."""

from __future__ import annotations

import json

import pytest
import torch

from cellwise.training import run
from cellwise.training.checkpoints import load_checkpoint, read_tensors
from cellwise.training.loop import Loop
from cellwise.training.metrics import read_metrics
from cellwise.training.stops import StoppedError
from tests.training.test_loop import REAL, configure, lines, stop_after
from tests.training.toy import Carrying

EVERYTHING = ["training.evaluate_steps=3", "training.warmup_steps=3", "training.weight_decay=0.1"]
SETTINGS = {
    "accumulate": ["training.accumulate=3", "training.evaluate_steps=2"],
    "exponential": ["training.averaging=exponential", "training.averaging_start=0.2"],
    "stochastic": ["training.averaging=stochastic", "training.averaging_start=0.2"],
    "steps": ["training.schedule=step", "training.decay_after=1", "training.evaluate_steps=5"],
    "bfloat16": ["training.precision=bfloat16", "training.optimizer=adagrad"],
    "patience": ["training.patience=5", "training.evaluate_steps=2", "training.schedule=plateau"],
    "carrying": ["task=carrying", "training.averaging=exponential", *EVERYTHING],
    "together": [
        "task=carrying", "training.accumulate=3", "training.averaging=stochastic",
        "training.averaging_start=0.2", "training.precision=bfloat16", *EVERYTHING,
    ],
}  # fmt: skip


def assert_same(tmp_path):
    left, right = (load_checkpoint(tmp_path / name) for name in ("straight", "halves"))
    assert left.tensors.keys() == right.tensors.keys()
    for group, tensors in left.tensors.items():
        assert tensors.keys() == right.tensors[group].keys()
        for name, tensor in tensors.items():
            assert torch.equal(tensor, right.tensors[group][name]), (group, name)
    assert lines(tmp_path / "straight") == lines(tmp_path / "halves")
    best = [read_tensors(tmp_path / name / "model.safetensors") for name in ("straight", "halves")]
    assert all(torch.equal(best[0][name], best[1][name]) for name in best[0])
    return left


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("steps", [1, 6, 9])
def test_a_resumed_run_equals_a_straight_one_bit_for_bit(tmp_path, monkeypatch, name, steps):
    config = configure(tmp_path, *SETTINGS[name])
    run.train(config, tmp_path / "straight")
    with monkeypatch.context() as patch:
        stop_after(patch, steps)
        with pytest.raises(StoppedError):
            run.train(config, tmp_path / "halves")
    torch.rand(7)
    run.train(config, tmp_path / "halves", resume=True)
    assert_same(tmp_path)


@pytest.mark.parametrize("name", ["stochastic", "carrying"])
def test_a_stop_inside_an_evaluation_is_resumed_bit_for_bit_too(tmp_path, monkeypatch, name):
    config = configure(tmp_path, *SETTINGS[name])
    run.train(config, tmp_path / "straight")
    original, calls = Loop._evaluate, [0]

    def evaluate(self, stop):
        calls[0] += 1
        stop.asked = calls[0] == 3
        return original(self, stop)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_evaluate", evaluate)
        with pytest.raises(StoppedError):
            run.train(config, tmp_path / "halves")
    run.train(config, tmp_path / "halves", resume=True)
    assert_same(tmp_path)


@pytest.mark.parametrize("task", REAL)
def test_real_tasks_with_all_settings_together_resume_bit_for_bit(tmp_path, monkeypatch, task):
    text, settings = REAL[task]
    (tmp_path / "train.txt").write_text(text)
    parts = [f"data.{part}={tmp_path / 'train.txt'}" for part in ("train", "dev")]
    settings = [f"task={task}", "model.hidden_size=6", "training.epochs=2", *parts, *settings]
    more = ["training.accumulate=2", "training.averaging=exponential", "training.batch_size=4"]
    more += ["training.averaging_start=0.3", "training.precision=bfloat16"]
    config = configure(tmp_path, *settings, *more, *EVERYTHING)
    run.train(config, tmp_path / "straight")
    with monkeypatch.context() as patch:
        stop_after(patch, 4)
        with pytest.raises(StoppedError):
            run.train(config, tmp_path / "halves")
    run.train(config, tmp_path / "halves", resume=True)
    assert int(assert_same(tmp_path).tensors["average"]["n_averaged"]) > 1


def test_an_evaluation_leaves_what_is_carried_as_it_was(tmp_path, monkeypatch):
    config = configure(tmp_path, "task=carrying", "training.evaluate_steps=1")
    run.train(config, tmp_path / "straight")
    kept = Carrying.evaluate
    harmless = lambda self, model, examples, **more: super(Carrying, self).evaluate(  # noqa: E731
        model, examples, **more
    )
    monkeypatch.setattr(Carrying, "evaluate", harmless)
    run.train(config, tmp_path / "halves")
    assert kept is not Carrying.evaluate
    assert_same(tmp_path)


def test_a_run_from_before_these_settings_goes_on(tmp_path, monkeypatch):
    config = configure(tmp_path)
    run.train(config, tmp_path / "straight")
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        with pytest.raises(StoppedError):
            run.train(config, tmp_path / "halves")
    new = "accumulate averaging averaging_decay averaging_start decay decay_after".split()
    new += ["evaluate_steps", "precision", "processes"]
    path = tmp_path / "halves" / "config.toml"
    old = [line for line in path.read_text().splitlines() if line.split(" = ")[0] not in new]
    path.write_text("\n".join(old))
    path = tmp_path / "halves" / "last" / "state.json"
    state = json.loads(path.read_text())
    path.write_text(json.dumps({k: state[k] for k in ("version", "tensors", "position", "data")}))
    saved = run.load_run_config(tmp_path / "halves")
    run.train(saved, tmp_path / "halves", resume=True)
    assert_same(tmp_path)


def test_averaging_may_be_switched_on_for_the_rest_of_a_run(tmp_path):
    run.train(configure(tmp_path), tmp_path / "run")
    more = ["training.epochs=6", "training.averaging=stochastic", "training.averaging_start=0"]
    run.train(configure(tmp_path, *more), tmp_path / "run", resume=True)
    assert int(load_checkpoint(tmp_path / "run").tensors["average"]["n_averaged"]) == 2


def test_evaluations_come_every_so_many_steps_and_at_the_end_of_each_epoch(tmp_path):
    settings = ["training.evaluate_steps=3", "training.accumulate=2", "training.epochs=3"]
    run.train(configure(tmp_path, *settings), tmp_path / "run")
    dev = [line for line in read_metrics(tmp_path / "run") if line["part"] == "dev"]
    places = [(line["epoch"], line["step"]) for line in dev]
    assert places == [(1, 3), (1, 4), (2, 6), (2, 8), (3, 9), (3, 12)]


def test_patience_counts_evaluations(tmp_path):
    settings = ["training.evaluate_steps=3", "training.patience=4", "training.learning_rate=1e-9"]
    outcome = run.train(configure(tmp_path, *settings, "training.epochs=50"), tmp_path / "run")
    assert outcome.why == "no better dev metric for 4 evaluations"
    dev = [line["best"] for line in read_metrics(tmp_path / "run") if line["part"] == "dev"]
    assert dev[-5:] == [True, False, False, False, False]
