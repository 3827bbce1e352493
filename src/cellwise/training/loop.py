"""The training loop: epochs of steps, each evaluated, from a state that can go on bit for bit."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cellwise.data.batches import sizes_of
from cellwise.errors import ConfigError
from cellwise.tasks.base import Task
from cellwise.training.averaging import Average
from cellwise.training.checkpoints import Checkpoint, save_checkpoint, write_tensors
from cellwise.training.descent import Descent, Sums, WildNumberError
from cellwise.training.fingerprint import Fingerprint
from cellwise.training.metrics import MetricsFile
from cellwise.training.position import Position, Window
from cellwise.training.processes import Processes
from cellwise.training.progress import Reporter, duration
from cellwise.training.schedules import Schedule
from cellwise.training.settings import TrainingConfig
from cellwise.training.snapshots import Moving
from cellwise.training.stops import (
    DivergedError,
    StoppedError,
    StopSignal,
    diverged,
    stopped,
)


@dataclass(frozen=True)
class Setting:
    """What a loop works with: the task, its examples, the settings, and where results go."""

    task: Task[Any, Any]
    train: Sequence[Any]
    dev: Sequence[Any]
    data: Fingerprint
    config: TrainingConfig
    folder: Path
    processes: Processes
    reporter: Reporter


class Loop:
    """One training, from a fresh model or a checkpoint until it ends."""

    def __init__(self, setting: Setting, model: nn.Module, checkpoint: Checkpoint | None = None):
        self.setting, self.config = setting, setting.config
        self.device = setting.processes.device
        self.model = model.to(self.device)
        self.position = Position()
        self._sizes = sizes_of(setting.train, setting.task.training_size)
        self._planned: tuple[int, list[list[int]]] = (-1, [])
        self._dev = choose(setting.dev, self.config)
        total = self.config.epochs * -(-len(self._plan(0)) // self.config.accumulate)
        self.schedule = Schedule(self.config, total)
        descent = Descent(setting.task, self.model, self.config, setting.processes)
        self._descent, self._average = descent, Average(self.model, self.config, total)
        self._moving = Moving(descent, self._average)
        self._saved_step: int | None = None
        self._saved_at = time.monotonic()
        self._seed_or_restore(checkpoint)
        self._metrics: MetricsFile | None = None

    def run(self, stop: StopSignal) -> str:
        """Train until it is over, and say why it is.

        Raises:
            StoppedError: `stop` was asked for; the state is saved.
            DivergedError: the loss or the gradient is no finite number.
        """
        self._metrics = self._open_metrics()
        try:
            while not (why := self.position.ending(self.config)):
                self._run_epoch(stop)
                self._judge(stop)
            if self.setting.processes.sum(stop.asked)[0]:
                raise stopped(self.setting.folder, self.position.step)
        except StoppedError:
            self._save()
            raise
        finally:
            self.setting.reporter.end()
            if self._metrics is not None:
                self._metrics.close()
        return why

    def _seed_or_restore(self, checkpoint: Checkpoint | None) -> None:
        torch.manual_seed(self.config.seed + self.setting.processes.rank)
        if checkpoint is None:
            return
        source = f"{self.setting.folder}/last"
        self.position = self._moving.restore(checkpoint, source=source)
        if self.position.epoch > self.config.epochs:
            raise ConfigError(
                f"the run has done {self.position.epoch} epochs already; training.epochs = "
                f"{self.config.epochs} is fewer"
            )
        self.schedule.factor = self.position.factor
        self._saved_step = self.position.step

    # One epoch of steps.

    def _run_epoch(self, stop: StopSignal) -> None:
        plan = self._plan(self.position.epoch)
        name = f"epoch {self.position.epoch + 1}/{self.config.epochs}"
        self.setting.reporter.begin(name, len(plan), self.position.batch)
        self.model.train()
        at = self.position
        while at.batch < len(plan) and not at.due(self.config) and not self._halted(stop):
            self._step(plan[at.batch : at.batch + self.config.accumulate])
        self.setting.reporter.end()

    def _halted(self, stop: StopSignal) -> bool:
        """Whether time is up, for all processes alike; saves from time to time."""
        main = self.setting.processes.main
        late = main and self.position.late(self.config)
        due = main and time.monotonic() - self._saved_at >= 60 * self.config.save_minutes
        n_late, n_due, n_asked = self.setting.processes.sum(late, due, stop.asked)
        if n_asked:
            raise stopped(self.setting.folder, self.position.step)
        if n_due:
            self._save()
        return bool(n_late)

    def _plan(self, epoch: int) -> list[list[int]]:
        """The batches of this process in an epoch; the epoch's at hand are kept."""
        if self._planned[0] != epoch:
            task, size, seed = self.setting.task, self.config.batch_size, self.config.seed
            plan = task.plan(self._sizes, size, seed=seed, epoch=epoch)
            self._planned = epoch, self.setting.processes.share(plan, rows=task.carries)
        return self._planned[1]

    def _step(self, batches: list[list[int]]) -> None:
        at, start = self.position, time.monotonic()
        rate = self.schedule.rate(at.step + 1, at.epoch + 1)
        examples = [[self.setting.train[place] for place in batch] for batch in batches]
        try:
            sums = self._descent.step(examples, rate)
        except WildNumberError as error:
            raise self._diverged(error.what, error.value, at.step + 1) from error
        at.step += 1
        at.batch += len(batches)
        self._average.update(at, epoch_over=at.batch >= len(self._plan(at.epoch)))
        self._count(sums, time.monotonic() - start)
        self.setting.reporter.advance(len(batches), self._shown())
        if at.step % self.config.log_every == 0:
            self._write_line(rate)

    def _diverged(self, what: str, value: float, step: int) -> DivergedError:
        epoch = self.position.epoch + 1
        return diverged(
            what,
            value,
            where=f"at step {step} (epoch {epoch})",
            rate=self.schedule.rate(step, epoch),
            highest=self.config.learning_rate,
            folder=self.setting.folder,
            saved=self._saved_step,
        )

    def _count(self, sums: Sums, seconds: float) -> None:
        at = self.position
        at.seconds += seconds
        at.since_line.add(*sums, seconds=seconds)
        at.since_epoch.add(*sums, seconds=seconds)

    def _shown(self) -> str:
        epoch, task = self.position.since_epoch, self.setting.task
        size = f", {epoch.measured_speed:,.0f} {task.measure}/s" if task.measure else ""
        return f"loss {epoch.mean_loss:.4f}  {epoch.speed:,.0f} {task.unit}/s{size}"

    def _write_line(self, rate: float) -> None:
        window, measure = self.position.since_line, self.setting.task.measure
        speeds = {"units_per_second": round(window.speed, 1)}
        if measure:
            speeds[f"{measure}_per_second"] = round(window.measured_speed, 1)
        self._write("train", loss=window.mean_loss, learning_rate=rate, **speeds)
        self.position.since_line = Window()

    # Evaluation and what follows from it.

    def _judge(self, stop: StopSignal) -> None:
        """Evaluate on dev, keep the model if it is the best, and close the epoch."""
        task, at, processes = self.setting.task, self.position, self.setting.processes
        start = time.monotonic()
        metrics = self._evaluate(stop)
        seconds = at.seconds + time.monotonic() - start
        main = processes.main
        value, at.seconds = processes.sum(
            metrics[task.metric] if main else 0.0, seconds if main else 0.0
        )
        if not math.isfinite(value):
            raise self._diverged(f"the dev metric {task.metric}", value, at.step)
        better = at.improves(value, task.goal)
        self.schedule.judged(better=better)
        at.factor = self.schedule.factor
        at.judge(value, better=better)
        if better and processes.main:
            best = self._average.model.state_dict()
            write_tensors(self.setting.folder / "model.safetensors", best)
        loss = at.since_epoch.mean_loss
        self._write("dev", train_loss=loss, **metrics, best=better)
        self._tell(loss, value, better)
        epoch = at.epoch + 1
        if at.batch >= len(self._plan(at.epoch)):
            at.close_epoch()
        self._save()
        self.setting.reporter.judged(epoch, value)

    def _evaluate(self, stop: StopSignal) -> dict[str, float]:
        """Dev metrics; training goes on as if there had been no evaluation.

        Its random numbers and what the task carries from batch to batch stay as they are.
        """

        def advance(count: int) -> None:
            reporter.advance(count)
            if stop.asked and self.setting.processes.count == 1:
                raise stopped(self.setting.folder, self.position.step)

        reporter = self.setting.reporter
        reporter.begin("  evaluating", len(self._dev))
        judged = self._average.model.eval()
        carried = {name: kept.clone() for name, kept in self.setting.task.carried().items()}
        forked = [self.device] if self.device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices=forked), torch.no_grad():
                return self.setting.task.evaluate(
                    judged, self._dev, batch_size=self.config.batch_size, advance=advance
                )
        finally:
            self.setting.task.carry(carried)
            reporter.end()

    def _tell(self, loss: float, value: float, better: bool) -> None:
        at, metric = self.position, self.setting.task.metric
        step = f", step {at.step}" if self.config.evaluate_steps else ""
        best = "best so far" if better else f"best {at.best_value:.4f} in epoch {at.best_epoch}"
        self.setting.reporter.note(
            f"epoch {at.epoch + 1}{step}: loss {loss:.4f}, dev {metric} {value:.4f} ({best}), "
            f"{duration(at.seconds)}"
        )

    # What is written.

    def _open_metrics(self) -> MetricsFile | None:
        if not self.setting.processes.main:
            return None
        return MetricsFile(
            self.setting.folder,
            tensorboard=self.config.tensorboard,
            size_bytes=self.position.metrics_bytes,
            step=self.position.step,
        )

    def _write(self, part: str, **numbers: float | bool) -> None:
        if self._metrics is not None:
            at = self.position
            place = {"part": part, "step": at.step, "epoch": at.epoch + 1}
            self._metrics.write({**place, **numbers, "seconds": round(at.seconds, 3)})
            at.metrics_bytes = self._metrics.size_bytes

    def _save(self) -> None:
        at = self.position
        checkpoint = self._moving.snapshot(at, data=self.setting.data)
        if self.setting.processes.main:
            save_checkpoint(self.setting.folder, checkpoint, step=at.step)
        self._saved_step, self._saved_at = at.step, time.monotonic()


def choose(dev: Sequence[Any], config: TrainingConfig) -> Sequence[Any]:
    """The dev examples that judge an epoch: all, or as many as are set, drawn by the seed."""
    if not config.evaluate_examples or config.evaluate_examples >= len(dev):
        return dev
    places = random.Random(config.seed).sample(range(len(dev)), config.evaluate_examples)
    return [dev[place] for place in places]
