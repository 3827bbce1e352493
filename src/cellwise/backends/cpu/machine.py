"""From LLVM IR to machine code in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from itertools import count

import llvmlite
import llvmlite.binding as llvm

from cellwise.backends.cpu.target import Target
from cellwise.backends.kept import kept

_lock = threading.Lock()
"""LLVM's global context is not safe to share between threads."""


@cache
def _initialise(*, native: bool) -> None:
    """Load what LLVM needs for this platform's code, or for that of all: the latter takes long."""
    if native:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
    else:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()


def _machine(target: Target) -> llvm.TargetMachine:
    _initialise(native=target.triple == llvm.get_default_triple())
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, reloc="pic", codemodel="jitdefault"
    )


def _optimised(text: str, machine: llvm.TargetMachine, level: int) -> llvm.ModuleRef:
    """The module, with loops that test at their ends unless `level` is 0.

    All else stands in the IR as it should be: LLVM's own pipeline takes longer than to generate
    the code, and makes the loops over elements no faster.
    """
    module = llvm.parse_assembly(text)
    module.verify()
    if level:
        builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
        passes = llvm.create_new_function_pass_manager()
        passes.add_loop_rotate_pass()
        for function in module.functions:
            if not function.is_declaration:
                passes.run(function, builder)
    return module


def assemble(text: str, target: Target, level: int = 2) -> bytes:
    """The object file of a module of LLVM IR; `level` 0 leaves the IR as it is written."""
    with _lock:
        machine = _machine(target)
        image: bytes = machine.emit_object(_optimised(text, machine, level))
        return image


def kept_image(make: Callable[[], bytes], target: Target, *parts: str) -> bytes:
    """Machine code that was made of the same parts by this LLVM before, else what `make` makes."""
    return kept(make, str(llvmlite.__version__), repr(target), *parts)


def assembly(text: str, target: Target, level: int = 2) -> tuple[str, str]:
    """The optimised IR and the assembly of a module, to be read."""
    with _lock:
        machine = _machine(target)
        module = _optimised(text, machine, level)
        return str(module), machine.emit_assembly(module)


@cache
def _linker(target: Target) -> llvm.LLJIT:
    return llvm.create_lljit_compiler(_machine(target))


_numbers = count()
"""Of the libraries of this process: each has a name of its own."""


class Library:
    """Machine code in memory, for as long as the library lives; its functions are addresses.

    Args:
        image: an object file for a target that this machine executes.
        target: that target.
    """

    def __init__(self, image: bytes, target: Target):
        with _lock:
            self._linker, self._name = _linker(target), f"cellwise{next(_numbers)}"
            builder = llvm.JITLibraryBuilder().add_object_img(image).add_current_process()
            # A library ends with the first of what holds it.
            self._holds = [builder.link(self._linker, self._name)]

    def address(self, name: str) -> int:
        """Where a function starts.

        Raises:
            KeyError: it is not there.
        """
        with _lock:
            try:
                found = self._linker.lookup(self._name, name)
            except RuntimeError as error:
                raise KeyError(name) from error
            self._holds.append(found)
            address: int = found[name]
        return address
