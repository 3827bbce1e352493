"""One sweep: the arrays of a call put into frames, and the compiled code run on them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from torch import Tensor

from cellwise.backends.base import Feed, Swept
from cellwise.backends.cpu.calls import ENTRY, carry_out
from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.frames import Template, template
from cellwise.backends.cpu.memory import keep_freed_memory, new_rows, new_scratch
from cellwise.backends.cpu.parallel import run
from cellwise.backends.cpu.totals import Extent, Totals
from cellwise.backends.cpu.work import Steps
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
        compiled, frames = self.compiled, self.frames()
        if frames:
            run(compiled.address, [f.buffer_info()[0] for f in frames], self.n_threads)
        totals = Totals(compiled, self.extent, self.rows, self.edges, self.fixed)
        sums = totals.run(self.n_threads, self.last)
        kept = {name: self.rows[name] for name in compiled.keep}
        return Swept(kept, self.last, sums, fresh=compiled.makes_all)

    def frames(self) -> list[array[int]]:
        """Pack the weights, and make a frame for every thread; all that it points at is held."""
        keep_freed_memory()
        compiled = self.compiled
        found = self.extent.shares(self.n_threads, reverse=compiled.normal.reverse)
        templates = [template(compiled, share) for share in found]
        place = self._scratch(compiled.weight_bytes + sum(t.scratch_bytes for t in templates))
        weights = self._pack(place)
        place += compiled.weight_bytes
        frames = []
        for made in templates:
            frames.append(self._frame(made, weights, place))
            place += made.scratch_bytes
        self._held.append(templates)
        return frames

    def _pack(self, place: int) -> list[int]:
        """Pack all weights into panels at an address; that of each stage's and operand's."""
        compiled, fixed, item = self.compiled, self.fixed, self.compiled.item_bytes
        addresses = [place + offset for offset in compiled.weight_offsets]
        calls, at = compiled.pack_calls[:], 0
        for source, weights in compiled.pack_sources:
            matrix = fixed(source.node)
            if source.label >= 0:
                matrix = matrix[source.label]
            unit, step = matrix.stride()
            if source.turned:
                unit, step = step, unit
            calls[at + 1] = matrix.data_ptr() + source.row * unit * item
            calls[at + 2], calls[at + 3], calls[at + 8] = unit, step, addresses[weights]
            at += ENTRY
        carry_out(calls, self.n_threads)
        return addresses

    def _scratch(self, n_bytes: int) -> int:
        """The address of fresh memory, aligned."""
        memory, address = new_scratch(n_bytes)
        self._held.append(memory)
        return address

    def _frame(self, made: Template, weights: Sequence[int], place: int) -> array[int]:
        frame, slots = made.fill(place), made.slots
        item, first = self.compiled.item_bytes, made.share.first
        sizes = self.compiled.layout.sizes
        for slot, name in slots.rows:
            frame[slot] = self.rows[name].data_ptr()
        for slot, name in slots.edges:
            frame[slot] = self.edges[name].data_ptr()
        for slot, name in slots.firsts:
            frame[slot] = self.edges[name].data_ptr() + first * sizes[name] * item
        for slot, name in slots.lasts:
            frame[slot] = self.last[name].data_ptr() + first * sizes[name] * item
        for slot, index in slots.fixed:
            value = self.fixed(self.compiled.layout.fixed[index]).contiguous()
            self._held.append(value)
            frame[slot] = value.data_ptr()
        for slot, key in slots.weights:
            frame[slot] = weights[self.compiled.weight_number[key]]
        numbers = array("q", frame)
        self._held.append(numbers)
        return numbers


def _check(compiled: Compiled, feed: Feed, schedule: Schedule) -> None:
    """Compiled code reads where it is told to: nothing may be smaller than it was compiled for.

    Raises:
        ShapeError: an array has another shape.
    """
    wanted = compiled.outside
    for name, tensor in feed.parameters.items():
        known = wanted.get(name)
        if known is not None and tensor.shape != known:
            raise ShapeError(_misfit(name, list(known), tensor))
    counted = [(name, t, schedule.n_rows) for (name, _), t in feed.rows.items()]
    counted += [(name, t, schedule.n_sequences) for name, t in feed.edges.items()]
    for name, tensor, count in counted:
        n_rows, *found = tensor.shape
        shape = wanted.get(name, tuple(found))
        if n_rows < count or tuple(found) != shape:
            raise ShapeError(_misfit(name, [count, *shape], tensor))


def _misfit(name: str, shape: list[int], tensor: Tensor) -> str:
    return f"'{name}' must have shape {shape}, but has {list(tensor.shape)}"
