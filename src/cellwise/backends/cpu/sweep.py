"""One sweep: the arrays of a call put into frames, and the compiled code run on them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from cellwise.backends.base import Feed, Swept
from cellwise.backends.cpu.calls import in_turns
from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.drafts import At
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.frames import Template, template
from cellwise.backends.cpu.memory import new_rows, new_scratch
from cellwise.backends.cpu.parallel import Round, run
from cellwise.backends.cpu.ready import MEMORY, Rounds
from cellwise.backends.cpu.totals import Extent, Totals
from cellwise.backends.cpu.work import Steps, Work
from cellwise.backends.schedule import Schedule
from cellwise.errors import ShapeError


class Sweep:
    """One pass of a compiled program over a schedule's rows.

    Attributes:
        rows: every array over all rows, by signal: what is read, and what is kept.
        edges: what is read beyond the ends; `last`: the states that come out.
    """

    def __init__(self, compiled: Compiled, extent: Extent, fixed: Fixed, n_threads: int):
        self.compiled, self.extent = compiled, extent
        self.fixed, self.n_threads = fixed, n_threads
        self.rows: dict[str, Tensor] = {}
        self.edges: dict[str, Tensor] = {}
        self.last: dict[str, Tensor] = {}
        self._held: list[object] = []

    @classmethod
    def over_steps(
        cls, compiled: Compiled, feed: Feed, schedule: Schedule, n_threads: int
    ) -> Sweep:
        """A sweep over the steps of sequences."""
        _check(compiled, feed, schedule)
        like = next(iter([*feed.rows.values(), *feed.edges.values()]))
        fixed = Fixed(feed.parameters, compiled.constants, compiled.sizes, like.dtype)
        sweep = cls(compiled, Steps(schedule), fixed, n_threads)
        sweep.rows = {name: t.contiguous() for (name, _), t in feed.rows.items()}
        sweep.edges = {name: t.contiguous() for name, t in feed.edges.items()}
        n_rows = max((t.shape[0] for t in feed.rows.values()), default=schedule.n_rows)
        for name in compiled.layout.kept:
            shape = (n_rows, *compiled.shapes[name])
            rows = like.new_empty(shape) if name in compiled.given else new_rows(like, shape)
            if n_rows > schedule.n_rows:
                rows[schedule.n_rows :].zero_()
            sweep.rows[name] = rows
        for name in compiled.layout.states:
            sweep.last[name] = like.new_empty((schedule.n_sequences, *compiled.shapes[name]))
        return sweep

    def run(self) -> Swept:
        """Pack the weights, run the kernel on every thread, and sum what is summed."""
        compiled, found = self.compiled, self._addresses()
        run(self._rounds(found), self.n_threads)
        totals = Totals(compiled, self.extent, self.rows, self.edges, self.fixed)
        sums = totals.run(self.n_threads, self.last, found)
        kept = {name: self.rows[name] for name in compiled.keep}
        return Swept(kept, self.last, sums, fresh=compiled.makes_all)

    def _addresses(self) -> dict[str, int]:
        """Where everything lies that is not made here; what is computed first is held."""
        found = {f"rows {name}": tensor.data_ptr() for name, tensor in self.rows.items()}
        for kind, tensors in (("edge", self.edges), ("last", self.last)):
            for name, tensor in tensors.items():
                found[f"{kind} {name}"] = tensor.data_ptr()
        values = {f"parameter {name}": t for name, t in self.fixed.parameters.items()}
        values |= {need: self.fixed(node) for node, need in self.compiled.computed.items()}
        for need, value in values.items():
            whole = value.contiguous()
            self._held.append(whole)
            found[need] = whole.data_ptr()
        return found

    def frames(self) -> list[array[int]]:
        """Pack the weights, and make a frame for every thread; all that it points at is held."""
        packing, kernel = self._rounds(self._addresses())
        run([packing], self.n_threads)
        frames: list[array[int]] = kernel.held
        return frames

    def _rounds(self, found: dict[str, int]) -> Sequence[Round]:
        """The packing of weights, then the kernel on every thread."""
        job = Job(self.compiled, self.extent, self.n_threads)
        memory, place = new_scratch(job.scratch_bytes)
        rounds = job.rounds(found, place)
        self._held += [job, memory, rounds]
        return rounds


class Job:
    """The kernel's work in one sweep, ready but for addresses.

    Args:
        make: makes the template of a thread's share, or keeps it.
        shared: all threads have all rows, each some of the units.

    Attributes:
        scratch_bytes: packed weights, then the memory of each thread.
    """

    def __init__(
        self,
        compiled: Compiled,
        extent: Extent,
        n_threads: int,
        make: Callable[[Compiled, Work], Template] = template,
        *,
        shared: bool = False,
    ):
        self.compiled, self.n_threads = compiled, n_threads
        divide = extent.team if shared else extent.shares
        shares = divide(n_threads, reverse=compiled.normal.reverse)
        self.templates = [make(compiled, share) for share in shares]
        self.scratch_bytes = compiled.weight_bytes
        for made in self.templates:
            self.scratch_bytes += made.scratch_bytes
            self.scratch_bytes += 0 if made.share.member else made.shared_bytes

    def rounds(self, found: dict[str, int], place: int) -> tuple[Round, Round]:
        """The packing of weights, then the kernel on every thread; scratch memory at a place."""
        found["weights"] = place
        packing = in_turns(self.compiled.pack_calls.filled(found), self.n_threads)
        place += self.compiled.weight_bytes
        frames = []
        for made in self.templates:
            if made.share.member == 0:
                found["shared"] = place
                place += made.shared_bytes
            found["scratch"] = place
            frames.append(made.draft.filled(found))
            place += made.scratch_bytes
        tasks = [frame.buffer_info()[0] for frame in frames]
        return packing, Round(self.compiled.address, tasks, frames)

    def tasks(
        self, rounds: Rounds, known: Mapping[str, At | int], offset: int
    ) -> tuple[list[At], list[At]]:
        """The same as tasks of rounds in the making; scratch memory at an offset of the call's."""
        own = {**known, "weights": At(MEMORY, offset)}
        packing = rounds.calls(self.compiled.pack_calls, self.n_threads, own)
        offset += self.compiled.weight_bytes
        kernel = []
        for made in self.templates:
            if made.share.member == 0:
                own["shared"] = At(MEMORY, offset)
                offset += made.shared_bytes
            own["scratch"] = At(MEMORY, offset)
            kernel.append(rounds.put(made.draft, own))
            offset += made.scratch_bytes
        return packing, kernel


def _check(compiled: Compiled, feed: Feed, schedule: Schedule) -> None:
    """Compiled code reads where it is told to: nothing may be smaller than it was compiled for.

    Raises:
        ShapeError: an array has another shape.
    """
    wanted = compiled.outside
    for name, tensor in feed.parameters.items():
        if name in wanted and tensor.shape != wanted[name]:
            raise ShapeError(_misfit(name, list(wanted[name]), tensor))
    for (name, _), tensor in feed.rows.items():
        _check_rows(name, tensor, schedule.n_rows, wanted)
    for name, tensor in feed.edges.items():
        _check_rows(name, tensor, schedule.n_sequences, wanted)


def _check_rows(
    name: str, tensor: Tensor, count: int, wanted: Mapping[str, tuple[int, ...]]
) -> None:
    found = tensor.shape
    shape = wanted.get(name, found[1:])
    if found[0] < count or found[1:] != shape:
        raise ShapeError(_misfit(name, [count, *shape], tensor))


def _misfit(name: str, shape: list[int], tensor: Tensor) -> str:
    return f"'{name}' must have shape {shape}, but has {list(tensor.shape)}"
