"""The machine code that all kernels share: products, packing, sums over rows."""

from __future__ import annotations

from functools import cache

from llvmlite import ir

from cellwise.backends.cpu.blocking import Blocking
from cellwise.backends.cpu.machine import Library, assemble, kept_image
from cellwise.backends.cpu.outer import emit_sum_outer
from cellwise.backends.cpu.packing import emit_pack
from cellwise.backends.cpu.products import Form, block_sizes, emit_products, streams
from cellwise.backends.cpu.sums import emit_sums
from cellwise.backends.cpu.target import Precision, Target


def emit_runtime(form: Form) -> str:
    """The LLVM IR of the whole runtime."""
    module = ir.Module("runtime")
    module.triple = form.target.triple
    emit_products(module, form)
    emit_pack(module, form)
    emit_sums(module, form)
    emit_sum_outer(module, form)
    return str(module)


def _image(target: Target, precision: Precision, lanes: int) -> bytes:
    # The IR stands in the order that the processor wants; passes over it cost time and gain none.
    return assemble(emit_runtime(Form(target, precision, lanes)), target, level=0)


class Runtime:
    """The shared functions for one target, precision and length of vectors, by their addresses."""

    def __init__(self, form: Form):
        self.form = form
        target, precision, lanes = form.target, form.precision, form.lanes
        image = kept_image(lambda: _image(target, precision, lanes), target, precision, str(lanes))
        self._library = Library(image, target)
        self._addresses: dict[str, int] = {}
        self._scratch_items: dict[int, int] = {}

    def address(self, name: str) -> int:
        """Where a function starts.

        Raises:
            KeyError: it is not there.
        """
        if name not in self._addresses:
            self._addresses[name] = self._library.address(name)
        return self._addresses[name]

    def block_sizes(self, n_vectors: int) -> tuple[int, ...]:
        """The numbers of rows that `product_{n_vectors}_{rows}` takes, the largest first."""
        return block_sizes(self.form.target, n_vectors)

    def streams(self, n_vectors: int, n_rows: int) -> int:
        """How many panels `stream_{n_vectors}_{n_rows}` takes; 1: there is no such function."""
        return streams(self.form.target, n_vectors, n_rows)

    def scratch_items(self, n_b: int) -> int:
        """How many numbers of scratch `sum_outer` needs, for a second factor of n_b columns."""
        if n_b not in self._scratch_items:
            self._scratch_items[n_b] = Blocking(self.form).scratch_items(n_b)
        return self._scratch_items[n_b]


@cache
def runtime(target: Target, precision: Precision, lanes: int) -> Runtime:
    """The runtime for a target, a precision and vectors of `lanes` numbers, compiled once."""
    return Runtime(Form(target, precision, lanes))
