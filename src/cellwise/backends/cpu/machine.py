"""From LLVM IR to machine code in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache

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
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
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


class Library:
    """Machine code in memory; its functions are addresses.

    Args:
        image: an object file for a target that this machine executes.
        target: that target.
    """

    def __init__(self, image: bytes, target: Target):
        with _lock:
            module = llvm.parse_assembly(f'target triple = "{target.triple}"')
            self._engine = llvm.create_mcjit_compiler(module, _machine(target))
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(image))
            self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where a function starts.

        Raises:
            KeyError: it is not there.
        """
        found: int = self._engine.get_function_address(name)
        if not found:
            raise KeyError(name)
        return found
