from __future__ import annotations

import json
import re
import signal
import time

import pytest
import torch

from cellwise.errors import ConfigError, DataError
from cellwise.training import loop, run, stops
from cellwise.training.checkpoints import load_checkpoint, read_tensors
from cellwise.training.config import parse_config
from cellwise.training.descent import Descent
from cellwise.training.loop import Loop
from cellwise.training.metrics import read_metrics
from cellwise.training.stops import StoppedError, StopSignal
from tests.tolerances import TOLERANCE
from tests.training.heard import Heard
from tests.training.toy import Toy

BASE = """
task = "toy"
[training]
epochs = 4
batch_size = 8
learning_rate = 0.03
log_every = 3
device = "cpu"
tensorboard = false
"""
CLOCK = ("seconds", "units_per_second", "symbols_per_second")


def configure(tmp_path, *overrides):
    return parse_config(BASE, tmp_path, source="toy.toml", overrides=overrides)


def lines(folder):
    """The metrics without what depends on the clock."""
    return [{k: v for k, v in line.items() if k not in CLOCK} for line in read_metrics(folder)]


def stop_after(monkeypatch, steps):
    """Ask the loop to stop after so many of its own steps, as Ctrl-C would."""
    run_original, step_original = Loop.run, Loop._step
    stops: list[StopSignal] = []
    places: list[list[int]] = []

    def watch(self, stop):
        stops.append(stop)
        return run_original(self, stop)

    def step(self, batch):
        step_original(self, batch)
        places.append(batch)
        stops[-1].asked = len(places) >= steps

    monkeypatch.setattr(Loop, "_step", step)
    monkeypatch.setattr(Loop, "run", watch)


def test_training_learns_and_fills_the_run_folder(tmp_path):
    outcome = run.train(configure(tmp_path, "training.epochs=12"), tmp_path / "run")
    assert outcome.why == "all 12 epochs are done"
    assert outcome.steps == 12 * 8
    assert outcome.best_value is not None
    assert outcome.best_value > 0.9
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "config.toml",
        "vocabularies.json",
        "model.safetensors",
        "metrics.jsonl",
        "last",
    }
    dev = [line for line in read_metrics(tmp_path / "run") if line["part"] == "dev"]
    assert [line["epoch"] for line in dev] == list(range(1, 13))
    assert max(line["accuracy"] for line in dev) == outcome.best_value


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("steps", [1, 8, 13, 31])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    tmp_path, monkeypatch, steps, optimizer
):
    config = configure(tmp_path, f"training.optimizer={optimizer}", "training.schedule=plateau")
    run.train(config, tmp_path / "straight")
    with monkeypatch.context() as patch:
        stop_after(patch, steps)
        with pytest.raises(StoppedError):
            run.train(config, tmp_path / "halves")
    torch.rand(7)  # whatever else the process does in between
    run.train(config, tmp_path / "halves", resume=True)
    straight, halves = load_checkpoint(tmp_path / "straight"), load_checkpoint(tmp_path / "halves")
    for group, tensors in straight.tensors.items():
        assert tensors.keys() == halves.tensors[group].keys()
        for name, tensor in tensors.items():
            assert torch.equal(tensor, halves.tensors[group][name]), (group, name)
    assert lines(tmp_path / "straight") == lines(tmp_path / "halves")
    best = [read_tensors(tmp_path / name / "model.safetensors") for name in ("straight", "halves")]
    assert all(torch.equal(best[0][name], best[1][name]) for name in best[0])


WORDS = [f"{'abc'[i % 3]}{'de'[i % 2]}{'fgh'[i // 5 % 3]}" for i in range(24)]
REAL = {
    "transduce": (
        "".join(f"{word}{i}\t{' '.join(word)}\n" for i, word in enumerate(WORDS)),
        ["model.embedding_size=4"],
    ),
    "tag": (
        "".join(f"{word}\t{word[0]}\nx{i}\ty\n\n" for i, word in enumerate(WORDS)),
        ["data.format=columns", "model.character_hidden_size=4", "model.word_embedding_size=4"],
    ),
    "language_model": (
        "".join(f"{' '.join(WORDS[i:])}\n" for i in range(24)),
        ["model.window=3", "model.restart_rate=0.2"],
    ),
}


@pytest.mark.parametrize("task", REAL)
def test_real_tasks_resume_bit_for_bit_too(tmp_path, monkeypatch, task):
    text, settings = REAL[task]
    (tmp_path / "train.txt").write_text(text)
    parts = [f"data.{part}={tmp_path / 'train.txt'}" for part in ("train", "dev")]
    settings = [f"task={task}", "model.hidden_size=6", "training.epochs=2", *parts, *settings]
    config = configure(tmp_path, *settings)
    run.train(config, tmp_path / "straight")
    with monkeypatch.context() as patch:
        stop_after(patch, 4)
        with pytest.raises(StoppedError):
            run.train(config, tmp_path / "halves")
    run.train(config, tmp_path / "halves", resume=True)
    left = load_checkpoint(tmp_path / "straight").tensors["model"]
    right = load_checkpoint(tmp_path / "halves").tensors["model"]
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert lines(tmp_path / "straight") == lines(tmp_path / "halves")
    assert run.load_run(tmp_path / "halves").predict(["adf adf"])


def test_a_stop_inside_an_evaluation_is_resumed_bit_for_bit(tmp_path, monkeypatch):
    config = configure(tmp_path)
    run.train(config, tmp_path / "straight")
    original = Loop._evaluate

    def evaluate(self, stop):
        stop.asked = self.position.epoch == 1
        return original(self, stop)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_evaluate", evaluate)
        with pytest.raises(StoppedError):
            run.train(config, tmp_path / "halves")
    run.train(config, tmp_path / "halves", resume=True)
    left = load_checkpoint(tmp_path / "straight").tensors["model"]
    right = load_checkpoint(tmp_path / "halves").tensors["model"]
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert lines(tmp_path / "straight") == lines(tmp_path / "halves")


def test_lines_written_after_the_last_checkpoint_are_dropped_on_resume(tmp_path, monkeypatch):
    config = configure(tmp_path)
    run.train(config, tmp_path / "straight")
    with monkeypatch.context() as patch:
        stop_after(patch, 9)
        with pytest.raises(StoppedError):
            run.train(config, tmp_path / "killed")
    with (tmp_path / "killed" / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"part": "train", "step": 12}) + "\n{half a li")
    run.train(config, tmp_path / "killed", resume=True)
    assert lines(tmp_path / "straight") == lines(tmp_path / "killed")


def test_the_message_of_a_stop_says_how_to_go_on(tmp_path, monkeypatch):
    stop_after(monkeypatch, 5)
    with pytest.raises(StoppedError) as caught:
        run.train(configure(tmp_path), tmp_path / "run")
    assert str(caught.value) == (
        "Stopped after step 5; everything is saved. Go on with:\n"
        f"  cellwise train {tmp_path / 'run'} --resume"
    )


def test_a_finished_run_goes_on_when_epochs_are_raised(tmp_path):
    run.train(configure(tmp_path), tmp_path / "run")
    again = run.train(configure(tmp_path), tmp_path / "run", resume=True)
    assert again.epochs == 4
    more = run.train(configure(tmp_path, "training.epochs=6"), tmp_path / "run", resume=True)
    assert more.epochs == 6


def test_resume_without_a_checkpoint_starts_from_the_beginning(tmp_path):
    assert run.train(configure(tmp_path), tmp_path / "run", resume=True).epochs == 4


def test_patience_ends_training(tmp_path):
    config = configure(
        tmp_path, "training.epochs=50", "training.patience=2", "training.learning_rate=1e-9"
    )
    outcome = run.train(config, tmp_path / "run")
    assert outcome.why == "no better dev metric for 2 epochs"
    assert outcome.epochs == outcome.best_epoch + 2


def test_the_time_limit_ends_training_after_an_evaluation(tmp_path):
    outcome = run.train(configure(tmp_path, "training.max_minutes=1e-9"), tmp_path / "run")
    assert outcome.why == "the limit of 1e-09 minutes is reached"
    assert outcome.steps == 1
    assert (tmp_path / "run" / "model.safetensors").is_file()
    more = run.train(configure(tmp_path, "training.max_minutes=0"), tmp_path / "run", resume=True)
    assert more.steps == 4 * 8


def test_a_full_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ConfigError) as caught:
        run.train(configure(tmp_path), tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} is not empty. Choose another --out, or go on with the run there: --resume"
    )


def test_resume_refuses_another_model(tmp_path):
    run.train(configure(tmp_path), tmp_path / "run")
    with pytest.raises(ConfigError) as caught:
        run.train(configure(tmp_path, "model.hidden_size=9"), tmp_path / "run", resume=True)
    assert str(caught.value) == (
        "'model.hidden_size' cannot change when a run is resumed: it was 8, and is now 9. "
        "Start a new run, with another --out"
    )


def test_files_may_lie_elsewhere_when_a_run_goes_on(tmp_path):
    """What they hold must be the same; where they are does not matter."""
    one, other, third = (tmp_path / name for name in ("one.txt", "other.txt", "third.txt"))
    one.write_text("ab\naab\nb\n")
    run.train(configure(tmp_path, f"data.train={one}", "training.epochs=1"), tmp_path / "run")
    one.rename(other)
    third.write_text("ab\naab\na\n")
    moved = configure(tmp_path, f"data.train={other}", "training.epochs=2")
    assert run.train(moved, tmp_path / "run", resume=True).epochs == 2
    changed = configure(tmp_path, f"data.train={third}", "training.epochs=3")
    with pytest.raises((ConfigError, DataError)):
        run.train(changed, tmp_path / "run", resume=True)


def test_fewer_epochs_than_are_done_are_refused(tmp_path):
    run.train(configure(tmp_path, "training.epochs=2"), tmp_path / "run")
    with pytest.raises(ConfigError) as caught:
        run.train(configure(tmp_path, "training.epochs=1"), tmp_path / "run", resume=True)
    assert str(caught.value) == ("the run has done 2 epochs already; training.epochs = 1 is fewer")
    assert "epochs = 2" in (tmp_path / "run" / "config.toml").read_text()


def test_what_disturbs_training_may_change_when_a_run_goes_on(tmp_path):
    few = configure(tmp_path, "training.epochs=2", "training.schedule=constant")
    more = ("training.epochs=4", "training.schedule=constant")
    for name, overrides in {"same": more, "calm": (*more, "model.dropout=0")}.items():
        run.train(few, tmp_path / name)
        run.train(configure(tmp_path, *overrides), tmp_path / name, resume=True)
    same, calm = (lines(tmp_path / name) for name in ("same", "calm"))
    first = [line for line in same if line.get("epoch", 0) <= 2]
    assert len(first) > 2
    assert calm[: len(first)] == first
    assert calm != same
    assert "dropout = 0" in (tmp_path / "calm" / "config.toml").read_text()


def test_missing_data_leaves_no_folder(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        run.train(configure(tmp_path, "data.train=nowhere.txt"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_gradient_is_of_the_mean_loss_per_unit(tmp_path, monkeypatch):
    norms = []
    original = torch.nn.utils.get_total_norm

    def record(gradients):
        norm = original(gradients)
        norms.append(float(norm))
        return norm

    monkeypatch.setattr(torch.nn.utils, "get_total_norm", record)
    config = configure(tmp_path, "training.epochs=1", "training.batch_size=64", "model.dropout=0")
    run.train(config, tmp_path / "run")
    task = config.make_task()
    task.fit(task.read("train"))
    torch.manual_seed(config.training.seed)
    model = task.build()
    loss, units = task.loss(model, task.collate(task.read("train")))
    (loss / units).backward()
    expected = torch.cat([p.grad.reshape(-1) for p in model.parameters()]).norm()
    torch.testing.assert_close(
        torch.tensor(norms[0]), expected.detach(), **TOLERANCE[torch.float32]["exact"]
    )


@pytest.mark.parametrize("limit", [0.0, 1e-3, 1e3])
def test_only_a_gradient_longer_than_the_limit_is_shortened(tmp_path, monkeypatch, limit):
    norms: list[tuple[float, float]] = []

    def record(self):
        gradients = [p.grad for p in self.model.parameters()]
        before = float(torch.nn.utils.get_total_norm(gradients))
        original(self)
        norms.append((before, float(torch.nn.utils.get_total_norm(gradients))))

    original = Descent._clip
    monkeypatch.setattr(Descent, "_clip", record)
    settings = ["training.epochs=1", f"training.clip_norm={limit}"]
    run.train(configure(tmp_path, *settings), tmp_path / "run")
    before, after = torch.tensor(norms).unbind(-1)
    expected = before.clamp(max=limit) if limit else before
    torch.testing.assert_close(after, expected, **TOLERANCE[torch.float32]["exact"])


def test_a_second_ctrl_c_breaks_off_unless_it_comes_at_once(monkeypatch):
    clock = [5.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with stops.watch_signals() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        clock[0] += 0.02
        signal.raise_signal(signal.SIGINT)
        clock[0] += stops.PATIENCE
        with pytest.raises(KeyboardInterrupt) as caught:
            signal.raise_signal(signal.SIGINT)
    assert str(caught.value) == (
        "stopped by a second Ctrl-C; what was done since the last checkpoint is not saved"
    )


def test_a_stop_just_after_the_last_epoch_is_heard(tmp_path, monkeypatch):
    stop_after(monkeypatch, 4 * 8)
    monkeypatch.setattr(Loop, "_evaluate", lambda _self, _stop: {"accuracy": 0.5})
    with pytest.raises(StoppedError, match="Stopped after step 32; everything is saved"):
        run.train(configure(tmp_path), tmp_path / "run")
    assert load_checkpoint(tmp_path / "run").state["position"]["epoch"] == 4


def test_dev_examples_are_chosen_by_the_seed(tmp_path):
    config = configure(tmp_path, "training.evaluate_examples=5").training
    dev = list(range(100))
    chosen = loop.choose(dev, config)
    assert len(chosen) == 5
    assert chosen == loop.choose(dev, config)
    assert loop.choose(dev[:5], config) == dev[:5]


def test_progress_shows_the_vocabulary_and_the_speed_in_the_tasks_units(tmp_path):
    heard = Heard()
    config = configure(tmp_path, "task=carrying", "training.epochs=1", "training.accumulate=3")
    run.train(config, tmp_path / "run", reporter=heard)
    assert heard.words[:2] == [("vocabulary", 64, 0), ("end",)]
    start = heard.words.index(("epoch 1/1", 8, 0)) + 1
    steps = heard.words[start : start + 3]
    assert [count for count, _ in steps] == [3, 3, 2]
    assert all(re.fullmatch(r"loss \d\.\d{4}  [\d,]+ words/s", text) for _, text in steps)


def test_a_second_speed_is_that_of_what_the_task_measures(tmp_path, monkeypatch):
    monkeypatch.setattr(Toy, "measure", "letters")
    monkeypatch.setattr(Toy, "measured", lambda _, batch: int(batch.counts.sum()))
    heard = Heard()
    config = configure(tmp_path, "training.epochs=1", "training.log_every=8")
    run.train(config, tmp_path / "run", reporter=heard)
    last = [text for _, text in heard.words[heard.words.index(("epoch 1/1", 8, 0)) + 1 :][:8]][-1]
    assert re.fullmatch(r"loss \d\.\d{4}  [\d,]+ units/s, [\d,]+ letters/s", last)
    [line] = [line for line in read_metrics(tmp_path / "run") if line["part"] == "train"]
    letters = [len(word) for word, _ in config.make_task().read("train")]
    mean = line["letters_per_second"] / line["units_per_second"]
    assert mean == pytest.approx(sum(letters) / len(letters), rel=1e-3)


def test_the_learning_rate_falls_step_by_step_with_the_epochs(tmp_path):
    settings = ["training.schedule=step", "training.decay_after=2", "training.decay=0.1"]
    run.train(configure(tmp_path, *settings, "training.log_every=8"), tmp_path / "run")
    rates = [m["learning_rate"] for m in read_metrics(tmp_path / "run") if m["part"] == "train"]
    assert rates == pytest.approx([0.03, 0.03, 0.003, 0.0003])
