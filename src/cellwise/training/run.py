"""Runs: starting one in a folder, going on with it, and using it again."""

from __future__ import annotations

import contextlib
import copy
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from cellwise.errors import ConfigError, DataError
from cellwise.tasks.base import Answer, Part, Report, Task
from cellwise.training.checkpoints import (
    clear_parts,
    has_checkpoint,
    load_checkpoint,
    load_weights,
    read_json,
    read_tensors,
)
from cellwise.training.complaints import build_section
from cellwise.training.config import (
    RunConfig,
    check_complete,
    check_resumable,
    parse_config,
    read_text,
)
from cellwise.training.counting import Counted, counted
from cellwise.training.fingerprint import check_same_data, fingerprint
from cellwise.training.folders import locked, prepared, write_start
from cellwise.training.loop import Loop, Setting
from cellwise.training.members import check_devices, train_together
from cellwise.training.processes import Processes, find_device
from cellwise.training.progress import Reporter
from cellwise.training.sources import exists
from cellwise.training.stops import watch_signals
from cellwise.training.writing import write_config

Found = TypeVar("Found")


@dataclass(frozen=True)
class Run:
    """A trained model with its task and configuration.

    Example:
        run = cellwise.load_run("runs/pronounce")
        run.predict(["cellwise"], beam_size=10)
    """

    folder: Path
    config: RunConfig
    task: Task[Any, Any]
    model: nn.Module

    def predict(self, texts: Iterable[str], **decoding: Any) -> list[str]:
        """The answer to each text, as people read it.

        Args:
            texts: one line of input each.
            **decoding: keys of the [decoding] table to change, as in `beam_size=10`.

        Raises:
            ConfigError: such a key or value is not accepted.
        """
        return [answer.text for answer in self.answers(texts, **decoding)]

    def answers(self, lines: Iterable[str], **decoding: Any) -> Iterator[Answer]:
        """The answer to each line as soon as it is known, with what programs want to know of it.

        Raises:
            ConfigError: as `predict` does.
        """
        if isinstance(lines, str):
            raise ConfigError('give a list of texts, as in predict(["text"]), not one text')
        task = self._task(decoding)
        self.model.eval()
        return _without_gradients(task.predict(self.model, lines))

    def evaluate(
        self,
        path: str | Path | None = None,
        *,
        part: Part = "test",
        advance: Callable[[int], None] = lambda _: None,
        **decoding: Any,
    ) -> dict[str, float]:
        """The task's metrics on a file, or on a part of the data of the configuration.

        Raises:
            DataError: there are no examples, or they cannot be read.
        """
        examples = self.examples(path, part=part)
        return self.evaluate_examples(examples, advance=advance, **decoding)

    def evaluate_examples(
        self,
        examples: Sequence[Any],
        *,
        advance: Callable[[int], None] = lambda _: None,
        **decoding: Any,
    ) -> dict[str, float]:
        """The task's metrics on examples that were read before."""
        return self.report(examples, advance=advance, **decoding).metrics

    def report(
        self,
        examples: Sequence[Any],
        *,
        advance: Callable[[int], None] = lambda _: None,
        **decoding: Any,
    ) -> Report:
        """The metrics on examples that were read before, and what the task says besides."""
        task = self._task(decoding)
        self.model.eval()
        with torch.no_grad():
            return task.report(
                self.model, examples, batch_size=self.config.training.batch_size, advance=advance
            )

    def encode(self, texts: Iterable[str]) -> Tensor:
        """A vector for each text: `[N, F]`, what the model's layers made of them.

        Raises:
            ConfigError: the task has no vectors of texts.
        """
        found = list(self.vectors(texts))
        return torch.stack(found) if found else torch.zeros(0, 0)

    def vectors(self, lines: Iterable[str]) -> Iterator[Tensor]:
        """As `encode`, one vector `[F]` after the other, so that many lines need little memory.

        Raises:
            ConfigError: as `encode` does.
        """
        if isinstance(lines, str):
            raise ConfigError('give a list of texts, as in encode(["text"]), not one text')
        self.model.eval()
        return _without_gradients(self.task.encode(self.model, lines))

    def examples(self, path: str | Path | None = None, *, part: Part = "test") -> Sequence[Any]:
        """The examples of a file, or of a part of the configuration's data."""
        examples = self.task.read(part) if path is None else self.task.read_file(Path(path))
        if not examples:
            raise DataError(
                f"there are no {part if path is None else path} examples to evaluate on"
            )
        return examples

    def _task(self, decoding: dict[str, Any]) -> Task[Any, Any]:
        """The task, or a copy of it that decodes differently."""
        if not decoding:
            return self.task
        table = {**self.config.decoding.model_dump(), **decoding}
        section = build_section(
            type(self.config.decoding), table, name="decoding", source="decoding"
        )
        return _with_decoding(self.task, section)


def load_run(path: str | Path, *, device: str = "cpu", ensemble: Sequence[str | Path] = ()) -> Run:
    """Load a run's best model, or several runs' models that answer together.

    Args:
        path: the run folder.
        device: "cpu", "cuda", "auto" (an accelerator if there is one) …
        ensemble: more run folders, of the same task and vocabularies, whose models join this one's;
            the configuration is this one's.

    Raises:
        ConfigError: a folder is no run, or has no trained model yet, or they do not go together.
        DataError: a file in it is damaged.
    """
    run = _load_run(Path(path), device)
    return _together(run, [_load_run(Path(other), device) for other in ensemble])


def _load_run(folder: Path, device: str) -> Run:
    config = load_run_config(folder)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        if (folder.parent.parent / "base.toml").is_file():
            raise ConfigError(
                f"{folder} holds no weights: a search keeps those of its trials with --keep alone"
            )
        raise ConfigError(f"{folder} holds no trained model yet: no epoch of it was finished")
    task = config.make_task()
    _restore(task, folder)
    model = task.build()
    load_weights(model, read_tensors(weights), source=str(weights))
    return Run(folder, config, task, model.to(find_device(device)).eval())


def _together(run: Run, others: Sequence[Run]) -> Run:
    """A run whose model is those of all, if they know the same symbols."""
    if not others:
        return run
    for other in others:
        if other.config.task != run.config.task:
            raise ConfigError(
                f"{other.folder} is a run of task '{other.config.task}', and {run.folder} of "
                f"'{run.config.task}': they cannot answer together"
            )
        if _symbols(other.task) != _symbols(run.task):
            raise ConfigError(
                f"{other.folder} has other vocabularies than {run.folder}: runs that answer "
                "together are trained on the same data, cut into the same units"
            )
    model = run.task.ensemble([run.model, *(other.model for other in others)])
    return replace(run, model=model.eval())


def _symbols(task: Task[Any, Any]) -> dict[str, Any]:
    """What a task learnt of symbols; plain numbers are sizes, in which models may differ."""
    saved = task.vocabularies()
    return {name: value for name, value in saved.items() if not isinstance(value, int)}


def load_run_config(folder: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The configuration that a run folder holds, changed by "section.key=value"."""
    path = folder / "config.toml"
    if not exists(path):
        raise ConfigError(f"{folder} is no run folder: it holds no config.toml")
    text = read_text(path)
    check_complete(text, source=str(path))
    return parse_config(text, None, source=str(path), overrides=overrides)


@dataclass(frozen=True)
class Outcome:
    """How a training ended: why, after how many epochs and seconds, and the best dev metric.

    `main` tells whether this is the one process, of those that train together, that reports.
    """

    main: bool
    why: str
    epochs: int
    steps: int
    seconds: float
    best_epoch: int
    best_value: float | None


def train(
    config: RunConfig, folder: Path, *, resume: bool = False, reporter: Reporter | None = None
) -> Outcome:
    """Train as `config` says, into `folder`; with `resume`, go on where a run there stopped.

    With `training.processes` above 1 it starts as many, which import the main module of the program
    anew: a script that calls this must do so below `if __name__ == "__main__":`.

    Raises:
        ConfigError: the folder holds something already, or a resumed run's configuration differs.
        DataError: the data cannot be read.
        StoppedError: Ctrl-C; the state is saved.
        DivergedError: the loss or the gradient is no finite number any more.
        LostProcessError: one of several processes was ended from outside.
    """
    count = config.training.processes
    if count > 1 and int(os.environ.get("WORLD_SIZE", "1")) == 1:
        check_devices(config.training.device, count)
        work = functools.partial(_train_along, config, folder, resume)
        threads = max(1, (config.training.threads or torch.get_num_threads()) // count)
        shown = reporter or Reporter()
        return Outcome(**train_together(work, count, threads=threads, reporter=shown))
    _use_threads(config.training.threads)
    return _train_here(config, folder, resume=resume, reporter=reporter)


def _train_along(
    config: RunConfig, folder: Path, resume: bool, reporter: Reporter
) -> dict[str, Any]:
    """What each of several processes does; the outcome, in plain values."""
    return asdict(_train_here(config, folder, resume=resume, reporter=reporter))


def _train_here(
    config: RunConfig, folder: Path, *, resume: bool, reporter: Reporter | None
) -> Outcome:
    with prepared(folder, resume=resume):
        processes = Processes(config.training.device)
        with locked(folder) if processes.main else contextlib.nullcontext():
            return _train(config, folder, processes, resume=resume, reporter=reporter)


def _train(
    config: RunConfig,
    folder: Path,
    processes: Processes,
    *,
    resume: bool,
    reporter: Reporter | None,
) -> Outcome:
    shown = reporter if reporter is not None and processes.main else Reporter()
    goes_on = resume and has_checkpoint(folder)
    if goes_on:
        check_resumable(load_run_config(folder), config)
    if processes.main:
        clear_parts(folder)
    processes.wait()
    loop = _make_loop(config, folder, processes, shown, goes_on=goes_on)
    with watch_signals() as stop:
        why = loop.run(stop)
    processes.close()
    at = loop.position
    return Outcome(processes.main, why, at.epoch, at.step, at.seconds, at.best_epoch, at.best_value)


def _make_loop(
    config: RunConfig, folder: Path, processes: Processes, reporter: Reporter, *, goes_on: bool
) -> Loop:
    """Read the data, build the model, and write what the run folder starts with."""
    task = config.make_task()
    task.passing, task.tell = functools.partial(counted, reporter=reporter), reporter.note
    train_examples, dev = _read(task, "train"), _read(task, "dev")
    checkpoint = load_checkpoint(folder) if goes_on else None
    data = fingerprint(train=train_examples, dev=dev)
    if checkpoint is not None:
        check_same_data(checkpoint.state.get("data"), data)
        _restore(task, folder)
    else:
        task.fit(Counted(train_examples, reporter, "vocabulary"))
    _check_judged(task, {"dev": dev, "test": task.read("test")})
    torch.manual_seed(config.training.seed)
    model = task.build()
    setting = Setting(task, train_examples, dev, data, config.training, folder, processes, reporter)
    loop = Loop(setting, model, checkpoint)  # it may refuse: the folder is as it was until then
    processes.wait()
    if processes.main:
        write_start(folder, task.vocabularies(), write_config(config))
    reporter.note(f"run folder: {folder}")
    weights = sum(p.numel() for p in model.parameters())
    reporter.note(
        f"{config.task}: {len(train_examples):,} training and {len(dev):,} dev examples, "
        f"{weights:,} weights, {processes.device}"
    )
    return loop


def _read(task: Task[Any, Any], part: Part) -> Sequence[Any]:
    examples = task.read(part)
    if not examples:
        raise DataError(f"there are no {part} examples")
    return examples


def _check_judged(task: Task[Any, Any], parts: dict[Part, Sequence[Any]]) -> None:
    """Refuse what training could not be judged by, before it starts."""
    for part, examples in parts.items():
        try:
            task.check(examples)
        except DataError as error:
            raise DataError(f"the {part} part: {error}") from error


def _restore(task: Task[Any, Any], folder: Path) -> None:
    """Give the task the vocabularies that a run folder holds."""
    path = folder / "vocabularies.json"
    values = read_json(path)
    try:
        task.restore(values)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: it holds no vocabularies of the task") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _use_threads(count: int) -> None:
    if count:
        torch.set_num_threads(count)


def _with_decoding(task: Task[Any, Any], section: Any) -> Task[Any, Any]:
    changed = copy.copy(task)
    changed.decoding = section
    return changed


def _without_gradients(answers: Iterator[Found]) -> Iterator[Found]:
    """The same answers, computed without gradients; between them, gradients are as they were."""
    while True:
        with torch.no_grad():
            answer = next(answers, None)
        if answer is None:
            return
        yield answer
