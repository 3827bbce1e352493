"""The machine code that all kernels share: products, packing, sums over rows."""

from __future__ import annotations

from functools import cache

from cellwise.backends.cpu.blocking import N_VECTORS as OUTER_WIDTH
from cellwise.backends.cpu.blocking import Blocking
from cellwise.backends.cpu.machine import Library, assemble, kept_image
from cellwise.backends.cpu.registers import N_VECTORS, Form, block_sizes, streams
from cellwise.backends.cpu.target import Precision, Target


def _image(form: Form, width: int) -> bytes:
    from cellwise.backends.cpu.runtime_code import emit_runtime

    # The IR stands in the order that the processor wants; passes over it cost time and gain none.
    return assemble(emit_runtime(form, width), form.target, level=0)


def _width(name: str) -> int:
    """With the products of which width a function is compiled."""
    kind, number, *_ = [*name.split("_"), ""]
    if kind not in ("product", "stream"):
        return OUTER_WIDTH
    if int(number) not in N_VECTORS:
        raise KeyError(name)
    return int(number)


class Runtime:
    """The shared functions for one target, precision and length of vectors, by their addresses."""

    def __init__(self, form: Form):
        self.form = form
        self._libraries: dict[int, Library] = {}
        self._addresses: dict[str, int] = {}
        self._scratch_items: dict[int, int] = {}

    def address(self, name: str) -> int:
        """Where a function starts.

        Raises:
            KeyError: it is not there.
        """
        if name not in self._addresses:
            self._addresses[name] = self._library(_width(name)).address(name)
        return self._addresses[name]

    def _library(self, width: int) -> Library:
        """The part of the runtime that holds the products of a width."""
        if width not in self._libraries:
            form = self.form
            parts = (form.precision, str(form.lanes), str(width))
            image = kept_image(lambda: _image(form, width), form.target, "runtime", *parts)
            self._libraries[width] = Library(image, form.target)
        return self._libraries[width]

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
