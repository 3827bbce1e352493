"""`cellwise bench`."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cellwise.errors import BackendError, ConfigError, is_of_memory, nearest

if TYPE_CHECKING:
    from cellwise.bench.grid import Grid, Manner, Measured
    from cellwise.bench.workload import Mode, Workload

Value = TypeVar("Value")


class Backend(StrEnum):
    """What our layer may be asked to take."""

    auto = "auto"
    cpu = "cpu"
    reference = "reference"


class DtypeName(StrEnum):
    """Precisions."""

    f32 = "f32"
    f64 = "f64"


OUTPUT = Path("-")
"""Standard output, in the place of a file."""

MOST_THREADS = 1024
"""Of a training, too."""

_DEFAULT_CELLS = ("lstm", "gru", "elman")
_MODES: dict[str, Mode] = {"forward": "forward", "both": "both"}


CellsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CELL | FILE] …",
        help="Cells of the zoo, or files of equations; else lstm gru elman.",
    ),
]
PeersOption = Annotated[
    str,
    typer.Option(
        metavar="P,…",
        help="Whom to measure beside us: torch (torch.nn), eager (a loop in Python), compiled "
        "(the loop under torch.compile, a minute each), jax (lax.scan), lstm (our LSTM); "
        '"" for nobody.',
    ),
]
LimitOption = Annotated[
    float, typer.Option(min=0, metavar="S", help="Seconds after which others' compiling ends.")
]
ThreadsOption = Annotated[str, typer.Option(metavar="N,…", help="Threads; else torch's.")]
ModeOption = Annotated[
    str, typer.Option(metavar="M,…", help="forward, both (forward and backward).")
]
RaggedOption = Annotated[
    bool, typer.Option("--ragged", help="Lengths uniform over 5 … T, beside the padded batch.")
]
RoundsOption = Annotated[int, typer.Option(min=1, help="Rounds; all take turns in each.")]
JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", help="Write the figures as JSON; -: to standard output, no table."
    ),
]
MarkdownFile = Annotated[
    Path | None, typer.Option("--markdown", metavar="FILE", help="Write the table.")
]


def bench(
    cells: CellsArgument = None,
    *,
    all_: Annotated[
        bool, typer.Option("--all", help="Every cell of the zoo over sequences.")
    ] = False,
    batch: Annotated[str, typer.Option(metavar="B,…", help="Batch sizes.")] = "32",
    hidden: Annotated[str, typer.Option(metavar="H,…", help="Hidden sizes, and I.")] = "64,256",
    steps: Annotated[int, typer.Option(min=1, metavar="T", help="Steps.")] = 100,
    threads: ThreadsOption = "",
    mode: ModeOption = "forward,both",
    ragged: RaggedOption = False,
    bidirectional: Annotated[bool, typer.Option("--bidirectional", help="Both ways.")] = False,
    peers: PeersOption = "torch,eager",
    rounds: RoundsOption = 7,
    dtype: Annotated[DtypeName, typer.Option(help="Precision.")] = DtypeName.f32,
    backend: Annotated[Backend, typer.Option(help="Our back end.")] = Backend.auto,
    compile_limit: LimitOption = 180.0,
    json_file: JsonFile = None,
    markdown_file: MarkdownFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Measure cells beside torch.nn, a loop in Python, torch.compile and JAX, in one run.

    Ctrl-C ends the run with what was measured so far.

    \b
    Examples:
      cellwise bench
      cellwise bench lstm --batch 1,16,32,64 --hidden 64,128,256,512 --threads 1,2 --ragged
      cellwise bench mycell.txt --hidden 128 --peers eager,compiled,jax,lstm --json mine.json
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    sizes = (_list("--batch", batch, _count), _list("--hidden", hidden, _count))
    modes, beside = _list("--mode", mode, _mode), _list("--peers", peers, _peer, empty=True)
    named = tuple(_cell(name) for name in _names(cells or [], all_=all_))
    numbers = _list("--threads", threads, _threads) if threads else (_torch_threads(),)
    _check_beforehand([file for file in (markdown_file, json_file) if file != OUTPUT], backend)
    from cellwise.bench.grid import Grid, Manner

    like = _like(steps, dtype, backend, bidirectional=bidirectional)
    raggedness = (False, True) if ragged else (False,)
    grid = Grid(named, *sizes, numbers, modes, raggedness, like)
    found: list[Measured] = []
    try:
        left_out = _measure_all(grid, Manner(beside, rounds, compile_limit), found, quiet=quiet)
    finally:
        _give_out(found, json_file, markdown_file)
    if not found:
        raise BackendError(f"nothing was measured; {left_out[-1]}")


def _check_beforehand(files: list[Path | None], backend: Backend) -> None:
    """Whether the files can be written, which stay as they are, and for which machine to compile.

    Raises:
        OSError: a file cannot be written.
        BackendError: CELLWISE_TARGET names no instruction set of this machine.
    """
    for file in files:
        if file is None:
            continue
        if not os.path.lexists(file):
            with file.open("xb"):
                pass
            file.unlink()
        elif file.is_file() or file.is_dir():  # and no pipe, whose reader would see its end
            with file.open("ab"):
                pass
    from cellwise.backends.cpu.target import VARIABLE, chosen

    if os.environ.get(VARIABLE) and backend is not Backend.reference:
        chosen()


def _like(steps: int, dtype: DtypeName, backend: Backend, *, bidirectional: bool) -> Workload:
    from cellwise.bench.workload import Workload

    return Workload(
        "",
        n_steps=steps,
        bidirectional=bidirectional,
        precision=dtype.value,
        backend=backend.value,
    )


def _measure_all(grid: Grid, manner: Manner, found: list[Measured], *, quiet: bool) -> list[str]:
    """Measure every workload; `found` grows, so that what is done outlives an interruption.

    Returns:
        What was left out, and why.
    """
    from cellwise.bench.grid import measure
    from cellwise.bench.tables import described
    from cellwise.training.progress import make_reporter

    reporter, left_out = make_reporter(quiet=quiet), list[str]()
    workloads = list(grid.workloads())
    reporter.begin("measuring", len(workloads))
    try:
        for workload in workloads:
            reporter.advance(0, described(workload))
            try:
                found.append(measure(workload, manner))
            except (BackendError, MemoryError, RuntimeError) as error:
                if not isinstance(error, BackendError) and not is_of_memory(error):
                    raise
                why = str(error).strip() or "there is not enough memory"
                left_out.append(f"{described(workload)}: left out: {why}")
                reporter.note(left_out[-1])
            reporter.advance(1)
    finally:
        reporter.end()
    return left_out


def _give_out(found: list[Measured], json_file: Path | None, markdown_file: Path | None) -> None:
    if not found:
        return
    from cellwise.bench.machine import this_machine
    from cellwise.bench.tables import as_json, markdown

    machine = this_machine()
    table, figures = markdown(machine, found), as_json(machine, found) + "\n"
    print(figures if json_file == OUTPUT else table, end="")
    for file, text in ((markdown_file, table), (json_file, figures)):
        if file is not None and file != OUTPUT:
            file.write_text(text, encoding="utf-8")


def _names(given: list[str], *, all_: bool) -> list[str]:
    from cellwise import cells as zoo

    if all_ and given:
        raise ConfigError("--all is every cell over sequences: name none besides")
    return list(zoo.names("chain")) if all_ else given or list(_DEFAULT_CELLS)


def _cell(name: str) -> tuple[str, str]:
    """The name of a cell and, if it is none of the zoo, its equations."""
    from cellwise import cells as zoo
    from cellwise.apps.zoo import find_cell

    cell, _ = find_cell(name)
    if cell.system.structure == "tree":
        raise ConfigError(f"the cell '{cell.name}' is over trees, and bench measures sequences")
    return (name, "") if name in zoo.names() else (cell.name, str(cell))


def _list(
    option: str, text: str, read: Callable[[str, str], Value], *, empty: bool = False
) -> tuple[Value, ...]:
    """The values of an option that takes several, separated by commas."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts and not empty:
        raise ConfigError(f"{option} names nothing")
    return tuple(dict.fromkeys(read(option, part) for part in parts))


def _count(option: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{option}: '{text}' is no whole number of at least 1")
    return int(text)


def _threads(option: str, text: str) -> int:
    count = _count(option, text)
    if count > MOST_THREADS:
        raise ConfigError(f"{option}: {count} threads are too many; at most {MOST_THREADS}")
    return count


def _mode(option: str, text: str) -> Mode:
    if text not in _MODES:
        raise ConfigError(f"{option}: '{text}' is neither forward nor both")
    return _MODES[text]


def _peer(option: str, text: str) -> str:
    from cellwise.bench.grid import PEERS

    if text not in PEERS:
        hint = nearest(text, PEERS) or f"Known are {', '.join(PEERS)}."
        raise ConfigError(f"{option}: nobody is called '{text}'. {hint}")
    return text


def _torch_threads() -> int:
    import torch

    return torch.get_num_threads()
