"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from cellwise.backends.cpu.target import chosen
from cellwise.errors import BackendError

_CPU_FACTS = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Machine:
    """A machine and what runs on it.

    Attributes:
        cpu: the processor's name.
        cores: how many of its cores this process may use.
        target: the instruction set that kernels are emitted for, or "none".
        system: operating system and architecture.
        versions: of Python and the libraries, "torch 2.13.0".
    """

    cpu: str
    cores: int
    target: str
    system: str
    versions: tuple[str, ...]

    def __str__(self) -> str:
        facts = f"{self.cpu}, {self.cores} cores, target {self.target}, {self.system}"
        return f"{facts}; {', '.join(self.versions)}"


def this_machine(threads: int | None = None) -> Machine:
    """The machine at hand; with `threads`, those that are used count as a version does."""
    versions = [f"Python {platform.python_version()}"]
    versions += [f"{name} {version}" for name in _LIBRARIES if (version := _version(name))]
    if threads is not None:
        versions.append(f"{threads} thread" + ("" if threads == 1 else "s"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.system()} {platform.machine()}"
    return Machine(_cpu_name(), cores or 1, _target(), system, tuple(versions))


_LIBRARIES = ("cellwise", "torch", "llvmlite", "jax")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _cpu_name() -> str:
    if _CPU_FACTS.is_file():
        facts = (line.partition(":") for line in _CPU_FACTS.read_text().splitlines())
        named = [value.strip() for key, _, value in facts if key.strip() == "model name"]
        if named:
            return named[0]
    return platform.processor() or platform.machine()


def _target() -> str:
    try:
        return chosen().name
    except BackendError:
        return "none"
