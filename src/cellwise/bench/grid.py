"""A grid of workloads, and the measuring of one: all contenders side by side, round by round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import product

from cellwise.backends.cpu.peak import fma_peak
from cellwise.backends.cpu.target import chosen
from cellwise.bench.contenders import (
    TorchCall,
    eager,
    our_lstm,
    our_padded,
    ours,
    torch_module,
)
from cellwise.bench.operations import workload_flops
from cellwise.bench.remote import EndedError, Remote
from cellwise.bench.timing import Sampler, Spread, interleave, ratios
from cellwise.bench.worker import TITLES
from cellwise.bench.workload import Mode, Workload
from cellwise.errors import BackendError

OURS, PADDED, LSTM, PEAK = "ours", "padded", "lstm", "peak"

_HERE: Mapping[str, Callable[[Workload], TorchCall]] = {
    "torch": torch_module,
    "eager": eager,
    LSTM: our_lstm,
}
PEERS = (*_HERE, *TITLES)
"""Whom our layer can be measured beside."""


@dataclass(frozen=True)
class Grid:
    """Workloads: every cell in every combination.

    Attributes:
        cells: (name, equations), the latter empty for one of the zoo.
        batch_sizes: B.
        hidden_sizes: H.
        threads: how many compute.
        modes: forward, or both.
        raggedness: False for padded batches, True for ragged ones.
        like: all else.
    """

    cells: tuple[tuple[str, str], ...]
    batch_sizes: tuple[int, ...]
    hidden_sizes: tuple[int, ...]
    threads: tuple[int, ...]
    modes: tuple[Mode, ...]
    raggedness: tuple[bool, ...]
    like: Workload

    def workloads(self) -> Iterator[Workload]:
        """All of them; what is compared across the table stands close together."""
        points = product(
            self.cells,
            self.hidden_sizes,
            self.batch_sizes,
            self.threads,
            self.modes,
            self.raggedness,
        )
        for (cell, equations), hidden, batch, threads, mode, ragged in points:
            yield replace(
                self.like,
                cell=cell,
                equations=equations,
                hidden_size=hidden,
                batch_size=batch,
                threads=threads,
                mode=mode,
                ragged=ragged,
            )


@dataclass(frozen=True)
class Manner:
    """How to measure: beside whom, for how many rounds, and how long others may compile."""

    peers: tuple[str, ...]
    rounds: int = 7
    compile_limit_s: float = 180.0


@dataclass(frozen=True)
class Line:
    """What was found of one contender.

    Attributes:
        who: its key: ours, padded, lstm, torch, eager, compiled or jax.
        title: what tables call it.
        milliseconds: of a call; None if it could not be had, and `note` says why.
        gflops: the rate of the cell's products, over live steps, in GFLOP/s.
        share: of the FMA peak of as many threads, measured in the same rounds.
        ratio: its time over ours.
        rate_ratio: our rate over its: differs from `ratio` where it computes something else.
        build_seconds: compiling and the first call.
        note: what a reader must know.
    """

    who: str
    title: str
    milliseconds: Spread | None = None
    gflops: float | None = None
    share: Spread | None = None
    ratio: Spread | None = None
    rate_ratio: Spread | None = None
    build_seconds: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Measured:
    """A workload with its lines, ours first.

    Attributes:
        workload: what was measured.
        lines: a line for each contender.
        gflop: the operations of the products in a call, in 10⁹.
        peak_gflops: the FMA peak, in GFLOP/s; None where no kernel can be emitted.
        ragged_cost: of a ragged batch, our time over fill times our padded time.
    """

    workload: Workload
    lines: tuple[Line, ...]
    gflop: float
    peak_gflops: Spread | None = None
    ragged_cost: Spread | None = None


class Peak:
    """The FMA peak as a contender: the seconds that 10⁹ operations take at best."""

    title, note = "FMA peak", ""

    def __init__(self, workload: Workload):
        self.threads, self.precision, self.target = workload.threads, workload.precision, chosen()

    def seconds(self, repeats: int) -> float:
        """One over the rate; `repeats` is of no use here."""
        return 1 / fma_peak(self.threads, self.precision, on=self.target)


Contender = TorchCall | Remote


def measure(workload: Workload, manner: Manner) -> Measured:
    """Time our layer and its peers in turns.

    Raises:
        BackendError: our layer cannot compute this.
    """
    with ExitStack() as stack:
        present, absent = _assembled(workload, manner, stack)
        samplers: dict[str, Sampler] = dict(present)
        with suppress(BackendError):
            samplers[PEAK] = Peak(workload)
        times = _timed(samplers, manner.rounds, present, absent)
    lines = [_line(who, one, workload, times) for who, one in present.items()]
    return Measured(
        workload,
        (*lines, *absent),
        workload_flops(workload) / 1e9,
        Spread.of([1 / s for s in times[PEAK]]) if PEAK in times else None,
        _ragged_cost(workload, times),
    )


def _timed(
    samplers: dict[str, Sampler], rounds: int, present: dict[str, Contender], absent: list[Line]
) -> dict[str, list[float]]:
    """The times of all; whoever ends amid the rounds is left out, and the others begin anew."""
    while True:
        try:
            return interleave(samplers, rounds)
        except EndedError as error:
            (who,) = [who for who, one in present.items() if one is error.contender]
            del samplers[who], present[who]
            absent.append(_left_out(who, error))


def _left_out(who: str, error: Exception) -> Line:
    """The line of a contender that cannot be had."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return Line(who, _TITLES.get(who, who), note=f"left out: {lines[0]}")


def _assembled(
    workload: Workload, manner: Manner, stack: ExitStack
) -> tuple[dict[str, Contender], list[Line]]:
    """The contenders that can be had, ours first, and lines for those that cannot."""
    present: dict[str, Contender] = {OURS: ours(workload)}
    if workload.ragged:
        present[PADDED] = our_padded(workload)
    absent: list[Line] = []
    for peer in manner.peers:
        if peer == LSTM and _is_lstm(workload):
            continue
        try:
            if peer in _HERE:
                present[peer] = _HERE[peer](workload)
            else:
                remote = Remote(peer, workload, limit_s=manner.compile_limit_s)
                stack.callback(remote.close)
                present[peer] = remote
        except Exception as error:  # noqa: BLE001 - whatever a peer cannot do, we can be measured
            absent.append(_left_out(peer, error))
    return present, absent


def _is_lstm(workload: Workload) -> bool:
    """Whether it is the zoo's LSTM, and not a file's of this name."""
    return workload.cell == LSTM and not workload.equations


_TITLES = {"torch": "torch.nn", "eager": "eager torch loop", **TITLES}


def _line(
    who: str, contender: Contender, workload: Workload, times: Mapping[str, list[float]]
) -> Line:
    own, our = times[who], times[OURS]
    gflop, our_gflop = (
        workload_flops(_computed(who, workload)) / 1e9,
        workload_flops(workload) / 1e9,
    )
    peak = times.get(PEAK)
    scaled = [s * gflop for s in peak] if peak and gflop else None
    milliseconds = Spread.of([s * 1e3 for s in own])
    return Line(
        who,
        contender.title,
        milliseconds,
        gflops=gflop / milliseconds.median * 1e3 if gflop else None,
        share=ratios(scaled, own) if scaled else None,
        ratio=None if who == OURS else ratios(own, our),
        rate_ratio=_rate_ratio(own, our, our_gflop / gflop) if gflop and who != OURS else None,
        build_seconds=contender.build_seconds if isinstance(contender, Remote) else None,
        note=contender.note,
    )


def _rate_ratio(own: list[float], our: list[float], work: float) -> Spread:
    return ratios([s * work for s in own], our)


def _computed(who: str, workload: Workload) -> Workload:
    """What a contender's operations are counted from: live steps, but of the padded batch all."""
    if who == PADDED:
        return replace(workload, ragged=False)
    return replace(workload, cell=LSTM, equations="") if who == LSTM else workload


def _ragged_cost(workload: Workload, times: Mapping[str, list[float]]) -> Spread | None:
    if not workload.ragged:
        return None
    return ratios(times[OURS], [s * workload.fill for s in times[PADDED]])
