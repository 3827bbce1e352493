"""What sweeps a compiled program over a structure; `BACKENDS` holds them by name."""

from cellwise.backends.base import Backend
from cellwise.backends.reference import Reference

BACKENDS: dict[str, Backend] = {"reference": Reference()}

__all__ = ["BACKENDS", "Backend"]
