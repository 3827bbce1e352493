"""The types of torch that there are kernels for, and what back ends call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:  # what it names is loaded when a call is served
    from cellwise.backends.cpu.target import Precision

PRECISIONS: dict[torch.dtype, Precision] = {torch.float32: "f32", torch.float64: "f64"}

DTYPES: dict[Precision, torch.dtype] = {name: dtype for dtype, name in PRECISIONS.items()}
