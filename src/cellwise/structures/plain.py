"""Who looks on while tensors are computed with: autograd alone, a transform, a trace, a cast."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.autograd import forward_ad

_PLAIN = (Tensor, torch.nn.Parameter)


def is_eager() -> bool:
    """Whether operations are carried out as they are called, on numbers that are there."""
    return not (torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack())


def is_plain(tensors: Sequence[Tensor]) -> bool:
    """Whether nothing but autograd looks at what happens to the tensors."""
    return is_eager() and all(type(t) in _PLAIN for t in tensors)


def is_transformed(tensors: Sequence[Tensor]) -> bool:
    """Whether a `torch.func` transform is at work, `torch.jit.trace`, or a forward-mode derivative.

    Within a transform torch takes no simple autograd function, whatever it transforms; a trace
    would miss what compiled kernels write.
    """
    if torch.compiler.is_compiling():
        return False
    if torch._C._is_tracing():
        return True
    functorch = torch._C._functorch
    if functorch.peek_interpreter_stack() is not None:
        return True
    wrapped = (functorch.is_functorch_wrapped_tensor, functorch.is_legacy_batchedtensor)
    if any(any(map(check, tensors)) for check in wrapped):
        return True
    if forward_ad._current_level < 0:
        return False
    return any(forward_ad.unpack_dual(t).tangent is not None for t in tensors)


def exact(like: Tensor) -> AbstractContextManager[object]:
    """A fold computes in its parameters' precision, whatever torch casts around it."""
    if like.is_cpu and not torch.is_autocast_enabled("cpu"):
        return _AS_IT_IS
    device = like.device.type
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return _AS_IT_IS  # "meta" knows no casts
    return torch.autocast(device, enabled=False)


_AS_IT_IS: AbstractContextManager[object] = nullcontext()
