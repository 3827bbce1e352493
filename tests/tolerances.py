"""The one table of tolerances, by dtype and class of comparison, with the reason for each."""

from __future__ import annotations

from typing import TypedDict

import torch


class Bounds(TypedDict):
    """What torch.testing.assert_close takes."""

    rtol: float
    atol: float


TOLERANCE: dict[torch.dtype, dict[str, Bounds]] = {
    torch.float64: {
        # The same mathematics, summed in another order: a few hundred rounding errors of 1e-16.
        "exact": {"rtol": 1e-12, "atol": 1e-12},
        # Gradients sum over steps, so rounding errors add up.
        "grad": {"rtol": 1e-10, "atol": 1e-11},
        # Central differences, step 1e-6: truncation 1e-12 x third derivative, cancellation 1e-10.
        "difference": {"rtol": 1e-5, "atol": 1e-6},
    },
    torch.float32: {
        "exact": {"rtol": 1e-5, "atol": 1e-6},
        "grad": {"rtol": 1e-4, "atol": 1e-5},
        "difference": {"rtol": 1e-1, "atol": 1e-2},
    },
}
