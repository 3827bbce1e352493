"""The machine code that all kernels share: products, packing, sums over rows, moves of rows."""

from __future__ import annotations

from cellwise.backends.cpu.machine import Library, assemble, kept_image
from cellwise.backends.cpu.once import lock, once
from cellwise.backends.cpu.registers import N_VECTORS, Form, block_sizes, most_vectors, streams
from cellwise.backends.cpu.target import Precision, Target

Part = tuple[str, int]
"""A part of the runtime that is compiled as a whole: `near` or `ahead`, the products' width."""


def _image(form: Form, part: Part) -> bytes:
    from cellwise.backends.cpu.runtime_code import emit_part

    # The IR stands in the order that the processor wants; passes over it cost time and gain none.
    return assemble(emit_part(form, *part), form.target, level=0)


def _part(name: str, target: Target) -> Part:
    """What a function is compiled with."""
    kind, number, *_ = [*name.split("_"), ""]
    if kind not in ("product", "stream", "ahead"):
        return "near", most_vectors(target)
    if int(number) not in N_VECTORS:
        raise KeyError(name)
    return "ahead" if kind == "ahead" else "near", int(number)


class Runtime:
    """The shared functions for one target, precision and length of vectors, by their addresses."""

    def __init__(self, form: Form):
        self.form = form
        self._libraries: dict[Part, Library] = {}
        self._addresses: dict[str, int] = {}

    def address(self, name: str) -> int:
        """Where a function starts.

        Raises:
            KeyError: it is not there.
        """
        if name not in self._addresses:
            self._addresses[name] = self._library(_part(name, self.form.target)).address(name)
        return self._addresses[name]

    def _library(self, part: Part) -> Library:
        with lock:
            if part not in self._libraries:
                form = self.form
                parts = (form.precision, str(form.lanes), *map(str, part))
                image = kept_image(lambda: _image(form, part), form.target, "runtime", *parts)
                self._libraries[part] = Library(image, form.target)
            return self._libraries[part]

    def block_sizes(self, n_vectors: int) -> tuple[int, ...]:
        """The numbers of rows that `product_{n_vectors}_{rows}` takes, the largest first."""
        return block_sizes(self.form.target, n_vectors)

    def streams(self, n_vectors: int, n_rows: int) -> int:
        """How many panels `stream_{n_vectors}_{n_rows}` takes; 1: there is no such function."""
        return streams(self.form.target, n_vectors, n_rows)


@once
def runtime(target: Target, precision: Precision, lanes: int) -> Runtime:
    """The runtime for a target, a precision and vectors of `lanes` numbers, compiled once."""
    return Runtime(Form(target, precision, lanes))
