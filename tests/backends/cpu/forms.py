"""What the tests of the shared machine code call it with."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from cellwise.backends.cpu.registers import Form
from cellwise.backends.cpu.runtime import Runtime, runtime
from cellwise.backends.cpu.target import Precision, runnable

PRECISIONS: tuple[Precision, ...] = ("f32", "f64")
DTYPE: dict[str, np.dtype[Any]] = {"f32": np.dtype(np.float32), "f64": np.dtype(np.float64)}

FORMS = [
    Form(target, precision, 1 << power)
    for target in runnable()
    for precision in PRECISIONS
    for power in range(target.lanes(precision).bit_length())
]
"""All that this machine runs: every target, precision and length of vectors."""

forms = st.sampled_from(FORMS)
seeds = st.integers(0, 2**32 - 1)

GUARD = -777.0
"""Stands where nothing may be written."""


def name_of(form: Form) -> str:
    return f"{form.target.name}-{form.precision}-{form.lanes}"


def code(form: Form) -> Runtime:
    return runtime(form.target, form.precision, form.lanes)


def call(form: Form, name: str, *arguments: np.ndarray | int | None) -> None:
    """Calls a function of the runtime: arrays and None are addresses, other arguments numbers."""
    kinds = [ctypes.c_int64 if isinstance(a, int) else ctypes.c_void_p for a in arguments]
    function: Callable[..., None] = ctypes.CFUNCTYPE(None, *kinds)(code(form).address(name))
    function(*(a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments))


def whole_numbers(form: Form, seed: int, *shape: int) -> np.ndarray:
    """Small ones, so that sums of products are exact in every order."""
    drawn = np.random.default_rng(seed).integers(-4, 5, shape)
    return drawn.astype(DTYPE[form.precision])


def any_numbers(form: Form, seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(DTYPE[form.precision])


def guarded(form: Form, *shape: int) -> np.ndarray:
    return np.full(shape, GUARD, DTYPE[form.precision])


def addresses(rows: np.ndarray) -> np.ndarray:
    """A table of pointers to the rows of a matrix."""
    return rows.ctypes.data + rows.strides[0] * np.arange(len(rows), dtype=np.int64)
