"""A program as one function: all steps of the rows that one thread owns.

    kernel(frame)                      every level in turn, a chunk of levels at a time
      stage(frame, r0, r1, c0, parity) one stage of the rows r0 to r1
        elements(…)                    its element-wise part, row after row

Rows are counted within the thread, level by level. What does not take part in the recurrence is
done for a chunk of levels at once, ahead of their loop or behind it, so that products have many
rows and results are still in the cache when they are read.

Several threads may be members of one team: then all have the same rows, each computes some units of
every stage, and they meet behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from llvmlite import ir

from cellwise.backends.cpu.denormals import emit_flush_off, emit_flush_on
from cellwise.backends.cpu.elementwise import VOID, Setting, emit_elements
from cellwise.backends.cpu.emitter import I32, I64, POINTER, Emitter, Value, integer, intrinsic
from cellwise.backends.cpu.layout import Frame, Layout
from cellwise.backends.cpu.stage import StageBody
from cellwise.backends.cpu.stage_kernel import StageKernel
from cellwise.backends.cpu.target import Precision, Target

_COUNT = ir.PointerType(ir.FunctionType(I32, []))
_BARRIER = ir.PointerType(ir.FunctionType(VOID, []))


class Emission:
    """The module of one program.

    Attributes:
        frame: the slots that the kernel reads, filled as code is emitted.
    """

    def __init__(
        self,
        layout: Layout,
        kernels: Sequence[StageKernel],
        constants: Mapping[str, float],
        target: Target,
        precision: Precision,
    ):
        self.layout, self.kernels, self.frame = layout, kernels, Frame()
        module = ir.Module("cellwise")
        module.triple = target.triple
        self.setting = Setting(module, self.frame, constants, target, precision)

    def text(self) -> str:
        """The LLVM IR."""
        functions = {
            number: self._stage(number, kernel) for number, kernel in enumerate(self.kernels)
        }
        self._main(functions)
        return str(self.setting.module)

    def _stage(self, number: int, kernel: StageKernel) -> ir.Function:
        elements = emit_elements(f"elements_{number}", kernel.places, self.setting, kernel.lanes)
        emitter = self.setting.function(f"stage_{number}", [POINTER, I64, I64, I64, I64])
        StageBody(emitter, number, kernel, self.frame, elements).emit()
        return self._by_rows(emitter) if kernel.stage.is_labelled else emitter.function

    def _by_rows(self, stage: Emitter) -> ir.Function:
        """A stage's function called row by row, each with its label in place of the parity."""
        e = self.setting.function(f"{stage.function.name}_by_rows", [POINTER, I64, I64, I64, I64])
        table, r0, r1, c0, _ = e.function.args
        labels = e.load_pointer(table, self.frame.slot("table", "label"))

        def row(at: Value, _: list[Value]) -> list[Value]:
            label = e.load_integer(labels, at)
            e.builder.call(stage.function, [table, at, e.builder.add(at, integer(1)), c0, label])
            return []

        e.loop(r0, r1, 1, row)
        e.builder.ret_void()
        return e.function

    def _main(self, stages: Mapping[int, ir.Function]) -> None:
        setting = self.setting
        function = ir.Function(setting.module, ir.FunctionType(VOID, [POINTER]), "kernel")
        emitter = Emitter(function, setting.target, setting.precision)
        _Main(emitter, self, stages).emit()


class _Main:
    """Emits the loop over levels."""

    def __init__(self, emitter: Emitter, emission: Emission, stages: Mapping[int, ir.Function]):
        self.e, self.b = emitter, emitter.builder
        self.emission, self.stages = emission, stages
        self.layout, self.frame = emission.layout, emission.frame
        (self.table,) = emitter.function.args

    def emit(self) -> None:
        saved = emit_flush_on(self.e)
        starts = self.e.load_pointer(self.table, self.frame.slot("starts"))
        n_levels = self.e.load_integer(self.table, self.frame.slot("n_levels"))
        self.members = self._members()
        member = self.e.load_integer(self.table, self.frame.slot("member"))
        is_first = self.b.icmp_signed("==", member, integer(0))
        with self.b.if_then(self.b.icmp_signed("<", member, self.members)):
            with self.b.if_then(is_first):
                self._states(self._enter)
            self._meet()
            self._chunks(starts, n_levels)
            with self.b.if_then(is_first):
                self._states(self._leave)
        emit_flush_off(self.e, saved)
        self.b.ret_void()

    def _members(self) -> Value:
        """How many threads share the rows: no more than there are, whatever the frame says.

        The frames of those that are missing have nothing left to do.
        """
        slot = self.frame.slot("members")
        wanted = self.e.load_integer(self.table, slot)
        with self.b.if_then(self.b.icmp_signed(">", wanted, integer(1))):
            count = self.b.call(self._function("n_threads", _COUNT), [])
            there = self.b.zext(count, I64)
            fewer = self.b.icmp_signed("<", there, wanted)
            place = self.b.gep(self.table, [integer(slot)], source_etype=I64)
            self.b.store(self.b.select(fewer, there, wanted), place, align=8)
        return self.e.load_integer(self.table, slot)

    def _meet(self) -> None:
        """Wait for the other members."""
        with self.b.if_then(self.b.icmp_signed(">", self.members, integer(1))):
            self.b.call(self._function("barrier", _BARRIER), [])

    def _function(self, slot: str, kind: ir.Type) -> Value:
        place = self.b.gep(self.table, [integer(self.frame.slot(slot))], source_etype=I64)
        return self.b.load(place, align=8, typ=kind)

    def _chunks(self, starts: Value, n_levels: Value) -> None:
        """while l0 < n_levels: as many levels as fit into a chunk, at least one."""
        chunk_rows = self.e.load_integer(self.table, self.frame.slot("chunk_rows"))
        before = self.b.block
        head, body, done = (self.b.append_basic_block(n) for n in ("chunk", "levels", "end"))
        self.b.branch(head)
        self.b.position_at_end(head)
        l0 = self.b.phi(I64)
        l0.add_incoming(integer(0), before)
        self.b.cbranch(self.b.icmp_signed("<", l0, n_levels), body, done)
        self.b.position_at_end(body)
        c0 = self.e.load_integer(starts, l0)
        l1 = self._last_level(starts, l0, n_levels, self.b.add(c0, chunk_rows))
        c1 = self.e.load_integer(starts, l1)
        self._call("before", c0, c1, c0, integer(0))

        def level(at: Value, _: list[Value]) -> list[Value]:
            r0 = self.e.load_integer(starts, at)
            r1 = self.e.load_integer(starts, self.b.add(at, integer(1)))
            self._call("loop", r0, r1, c0, self.b.and_(at, integer(1)))
            return []

        self.e.loop(l0, l1, 1, level)
        self._call("after", c0, c1, c0, integer(0))
        l0.add_incoming(l1, self.b.block)
        self.b.branch(head)
        self.b.position_at_end(done)

    def _last_level(self, starts: Value, l0: Value, n_levels: Value, limit: Value) -> Value:
        """The first level behind the chunk."""
        first = self.b.add(l0, integer(1))
        before = self.b.block
        head, more, done = (self.b.append_basic_block(n) for n in ("grow", "more", "grown"))
        self.b.branch(head)
        self.b.position_at_end(head)
        level = self.b.phi(I64)
        level.add_incoming(first, before)
        self.b.cbranch(self.b.icmp_signed("<", level, n_levels), more, done)
        self.b.position_at_end(more)
        following = self.b.add(level, integer(1))
        level.add_incoming(following, more)
        fits = self.b.icmp_signed("<=", self.e.load_integer(starts, following), limit)
        self.b.cbranch(fits, head, done)
        self.b.position_at_end(done)
        return level

    def _call(self, section: str, r0: Value, r1: Value, c0: Value, parity: Value) -> None:
        for number, kernel in enumerate(self.emission.kernels):
            if kernel.stage.section == section:
                self.b.call(self.stages[number], [self.table, r0, r1, c0, parity])
                self._meet()

    # States: two buffers of the thread's places, one read and one written in each level

    def _states(self, one: Callable[[str, int, Value, Value], None]) -> None:
        n_places = self.e.load_integer(self.table, self.frame.slot("n_places"))
        for name in self.layout.states:
            size = self.layout.sizes[name]
            base = self.e.load_pointer(self.table, self.frame.slot("state", name))
            one(name, size, base, n_places)

    def _enter(self, name: str, size: int, base: Value, n_places: Value) -> None:
        edge = self.e.load_pointer(self.table, self.frame.slot("first", name))
        count = self.b.mul(n_places, integer(size * self.e.item_bytes))
        for half in (0, 1):
            start = self.b.mul(n_places, integer(half * size))
            self._copy(self.e.at(base, start), edge, count)

    def _leave(self, name: str, size: int, base: Value, n_places: Value) -> None:
        edge = self.e.load_pointer(self.table, self.frame.slot("last", name))
        parities = self.e.load_pointer(self.table, self.frame.slot("parities"))

        def place(at: Value, _: list[Value]) -> list[Value]:
            half = self.b.mul(self.e.load_integer(parities, at), n_places)
            source = self.e.at(base, self.b.mul(self.b.add(half, at), integer(size)))
            to = self.e.at(edge, self.b.mul(at, integer(size)))
            self._copy(to, source, integer(size * self.e.item_bytes))
            return []

        self.e.loop(integer(0), n_places, 1, place)

    def _copy(self, to: Value, source: Value, n_bytes: Value) -> None:
        kinds = [POINTER, POINTER, I64, ir.IntType(1)]
        function = intrinsic(self.e.module, "llvm.memcpy.p0.p0.i64", kinds, VOID)
        self.b.call(function, [to, source, n_bytes, ir.Constant(ir.IntType(1), 0)])
