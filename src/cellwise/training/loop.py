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

from cellwise.data.batches import plan_batches
from cellwise.tasks.base import Task
from cellwise.training.checkpoints import Checkpoint, save_checkpoint, write_tensors
from cellwise.training.fingerprint import fingerprint
from cellwise.training.metrics import MetricsFile
from cellwise.training.optimisers import build_optimiser, gradients, set_rate
from cellwise.training.position import Position, Window
from cellwise.training.processes import Processes
from cellwise.training.progress import Reporter, duration
from cellwise.training.schedules import Schedule
from cellwise.training.settings import TrainingConfig
from cellwise.training.snapshots import Moving
from cellwise.training.stops import StoppedError, StopSignal, diverged, stopped


@dataclass(frozen=True)
class Setting:
    """What a loop works with: the task, its examples, the settings, and where results go."""

    task: Task[Any, Any]
    train: Sequence[Any]
    dev: Sequence[Any]
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
        alone = setting.processes.count == 1
        self.optimiser = build_optimiser(self.model, self.config, alone=alone)
        self.position = Position()
        self._sizes = [setting.task.size(example) for example in setting.train]
        self._dev = choose(setting.dev, self.config)
        self.schedule = Schedule(self.config, self.config.epochs * len(self._plan(0)))
        self._moving = Moving(self.model, self.optimiser, self.device)
        self._saved_step: int | None = None
        self._saved_at = time.monotonic()
        self._data = fingerprint(train=setting.train, dev=setting.dev)
        self._seed_or_restore(checkpoint)
        self._metrics = self._open_metrics()

    def run(self, stop: StopSignal) -> str:
        """Train until it is over, and say why it is.

        Raises:
            StoppedError: `stop` was asked for; the state is saved.
            DivergedError: the loss or the gradient is no finite number.
        """
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
        rank = self.setting.processes.rank
        torch.manual_seed(self.config.seed + rank)
        if checkpoint is None:
            return
        source = f"{self.setting.folder}/last"
        self.position = self._moving.restore(checkpoint, source=source)
        self.schedule.factor = self.position.factor
        self._saved_step = self.position.step
        if rank:
            torch.manual_seed(self.config.seed + rank + self.position.step)

    # One epoch of steps.

    def _run_epoch(self, stop: StopSignal) -> None:
        plan = self._plan(self.position.epoch)
        name = f"epoch {self.position.epoch + 1}/{self.config.epochs}"
        self.setting.reporter.begin(name, len(plan), self.position.batch)
        self.model.train()
        while self.position.batch < len(plan) and not self._halted(stop):
            self._step(plan[self.position.batch])
        self.setting.reporter.end()

    def _halted(self, stop: StopSignal) -> bool:
        """Whether time is up, for all processes alike; saves from time to time."""
        late = self.setting.processes.main and self.position.late(self.config)
        n_late, n_asked = self.setting.processes.sum(late, stop.asked)
        if n_asked:
            raise stopped(self.setting.folder, self.position.step)
        if time.monotonic() - self._saved_at >= 60 * self.config.save_minutes:
            self._save()
        return bool(n_late)

    def _plan(self, epoch: int) -> list[list[int]]:
        config = self.config
        plan = plan_batches(self._sizes, config.batch_size, seed=config.seed, epoch=epoch)
        return self.setting.processes.share(plan)

    def _step(self, places: list[int]) -> None:
        start = time.monotonic()
        rate = self.schedule.rate(self.position.step + 1)
        set_rate(self.optimiser, rate)
        loss, units = self._gradient([self.setting.train[place] for place in places], rate)
        self.optimiser.step()
        self.position.step += 1
        self.position.batch += 1
        self._count(loss, units, time.monotonic() - start)
        if self.position.step % self.config.log_every == 0:
            self._write_line(rate)

    def _gradient(self, examples: list[Any], rate: float) -> tuple[float, int]:
        """Leave the gradient of the mean loss per unit in the parameters; summed loss and units."""
        processes = self.setting.processes
        batch = self.setting.task.collate(examples).to(self.device)
        self.optimiser.zero_grad(set_to_none=True)
        summed, own_units = self.setting.task.loss(self.model, batch)
        loss, units = processes.sum(float(summed.detach()), float(own_units))
        self._demand_finite("the loss", loss, rate)
        (summed / max(1.0, units)).backward()
        processes.sum_gradients(self.model)
        self._clip(rate)
        return loss, int(units)

    def _clip(self, rate: float) -> None:
        """Shorten the gradient if it is longer than the limit; most are not, and stay untouched."""
        found = gradients(self.model)
        norm = nn.utils.get_total_norm(found)
        self._demand_finite("the gradient", float(norm), rate)
        limit = self.config.clip_norm
        if limit and norm > limit:
            torch._foreach_mul_(found, limit / (float(norm) + 1e-6))

    def _demand_finite(self, what: str, value: float, rate: float) -> None:
        if not math.isfinite(value):
            raise diverged(
                what,
                value,
                at=self.position,
                rate=rate,
                folder=self.setting.folder,
                saved=self._saved_step,
            )

    def _count(self, loss: float, units: int, seconds: float) -> None:
        at = self.position
        at.seconds += seconds
        at.since_line.add(loss, units, seconds)
        at.since_epoch.add(loss, units, seconds)
        speed = f"{at.since_epoch.speed:,.0f} units/s"
        self.setting.reporter.advance(1, f"loss {at.since_epoch.mean_loss:.4f}  {speed}")

    def _write_line(self, rate: float) -> None:
        window = self.position.since_line
        self._write(
            "train",
            loss=window.mean_loss,
            learning_rate=rate,
            units_per_second=round(window.speed, 1),
        )
        self.position.since_line = Window()

    # Evaluation and what follows from it.

    def _judge(self, stop: StopSignal) -> None:
        """Evaluate on dev, keep the model if it is the best, and close the epoch."""
        task, at, processes = self.setting.task, self.position, self.setting.processes
        start = time.monotonic()
        metrics = self._evaluate(stop)
        seconds = at.seconds + time.monotonic() - start
        value, at.seconds = processes.sum(
            metrics[task.metric] * processes.main, seconds * processes.main
        )
        better = at.improves(value, task.goal)
        self.schedule.judged(better=better)
        at.factor = self.schedule.factor
        at.judge(value, better=better)
        if better and processes.main:
            write_tensors(self.setting.folder / "model.safetensors", self.model.state_dict())
        loss = at.since_epoch.mean_loss
        self._write("dev", train_loss=loss, **metrics, best=better)
        self._tell(loss, value, better)
        if at.batch >= len(self._plan(at.epoch)):
            at.close_epoch()
        self._save()

    def _evaluate(self, stop: StopSignal) -> dict[str, float]:
        """Dev metrics; training's random numbers go on as if there had been no evaluation."""

        def advance(count: int) -> None:
            reporter.advance(count)
            if stop.asked and self.setting.processes.count == 1:
                raise stopped(self.setting.folder, self.position.step)

        reporter = self.setting.reporter
        reporter.begin("  evaluating", len(self._dev))
        self.model.eval()
        forked = [self.device] if self.device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices=forked), torch.no_grad():
                return self.setting.task.evaluate(
                    self.model, self._dev, batch_size=self.config.batch_size, advance=advance
                )
        finally:
            reporter.end()

    def _tell(self, loss: float, value: float, better: bool) -> None:
        at, metric = self.position, self.setting.task.metric
        best = "best so far" if better else f"best {at.best_value:.4f} in epoch {at.best_epoch}"
        self.setting.reporter.note(
            f"epoch {at.epoch + 1}: loss {loss:.4f}, dev {metric} {value:.4f} ({best}), "
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
        if self.setting.processes.main:
            checkpoint = self._moving.snapshot(at, data=self._data)
            save_checkpoint(self.setting.folder, checkpoint, step=at.step)
        self._saved_step, self._saved_at = at.step, time.monotonic()


def choose(dev: Sequence[Any], config: TrainingConfig) -> Sequence[Any]:
    """The dev examples that judge an epoch: all, or as many as are set, drawn by the seed."""
    if not config.evaluate_examples or config.evaluate_examples >= len(dev):
        return dev
    return random.Random(config.seed).sample(list(dev), config.evaluate_examples)
