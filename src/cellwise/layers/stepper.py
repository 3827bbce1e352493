"""`Stepper`: a network that is fed one step at a time, for streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from cellwise.backends import serving
from cellwise.backends.base import Bound, Feed
from cellwise.errors import BackendError, ConfigError, ShapeError
from cellwise.layers.arguments import as_weights_are
from cellwise.layers.direction import Direction
from cellwise.layers.states import check_state, listed_states, state_type
from cellwise.layers.watch import Watch
from cellwise.structures.batch import even_levels


class Stepper:
    """A network that is fed one step at a time, in constant memory; `Recurrent.stepper` makes it.

    It follows the layer: weights that changed since the last step, by an optimiser, a loaded
    checkpoint or `layer.to(...)`, are noticed; values written through `weight.data`, numpy or
    another process are not, so make a new stepper then. No gradients flow through it: an x that
    requires one is refused, a state is taken without its history. Dropout is off. It follows one
    stream: two threads must not call it at once.

    Attributes:
        backend: which back end serves the steps now; it can change when the layer does.
        why: the reason.

    Example:
        >>> import torch, cellwise as cw
        >>> layer = cw.Recurrent("lstm", 3, 5, num_layers=2)
        >>> step = layer.stepper()
        >>> for x in torch.randn(7, 3):
        ...     y = step(x)
        >>> y.shape, step.state.c.shape
        (torch.Size([5]), torch.Size([2, 5]))
    """

    def __init__(self, directions: Sequence[Direction], *, batch_size: int | None):
        if batch_size is not None and (type(batch_size) is not int or batch_size < 1):
            raise ConfigError(
                f"batch_size must be None or a whole number of at least 1, not {batch_size!r}"
            )
        self._directions = list(directions)
        self._watch = Watch(self._directions)
        self._unbatched, self._n = batch_size is None, batch_size or 1
        self._x_shape = self._shape(directions[0].signal_size(directions[0].cell.inputs[0]))
        self._y_shape = self._shape(directions[-1].signal_size(directions[-1].cell.output))
        self._dtype, self._device = torch.get_default_dtype(), torch.device("cpu")
        with torch.inference_mode(mode=False):
            self._states = [
                torch.zeros(len(directions), self._n, size)
                for size in directions[0].state_sizes.values()
            ]
        self._untouched = True
        self._advance: Callable[[Tensor], Tensor]
        self._prepare()

    def _shape(self, size: int) -> torch.Size:
        return torch.Size([size] if self._unbatched else [self._n, size])

    def __call__(self, x: Tensor) -> Tensor:
        """Make a step.

        Args:
            x: [I], or [B, I] if the stepper has a batch size.

        Returns:
            y: [H], or [B, H]; a new tensor at every step.

        Raises:
            ShapeError: x has another shape or type, or is on another device.
            BackendError: x requires a gradient.
        """
        if self._watch.has_changed():
            self._prepare()
        if (
            type(x) is not Tensor
            or x.shape != self._x_shape
            or x.dtype is not self._dtype
            or x.is_cpu is not self._is_cpu
            or x.requires_grad
            or torch._C._is_tracing()
        ):
            x = self._admitted(x)
        self._untouched = False
        return self._advance(x)

    @property
    def state(self) -> Any:
        """The states after the last step, as the layer returns and takes them; it can be set.

        A named tuple of copies, each [num_layers, B, ·], or [num_layers, ·] without a batch.
        """
        if self._watch.has_changed():
            self._prepare()
        names = tuple(self._directions[0].state_sizes)
        return state_type(names)(*[place.clone() for place in self._places()])

    @state.setter
    def state(self, state: Sequence[Tensor] | Tensor) -> None:
        if self._watch.has_changed():
            self._prepare()
        given = [state] if isinstance(state, Tensor) else listed_states(state)
        for name, new in zip(self._directions[0].state_sizes, given, strict=False):
            check_state(name, new)
        names, places = list(self._directions[0].state_sizes), self._places()
        if len(given) != len(names):
            raise ShapeError(
                f"state must hold {len(names)} tensors ({', '.join(names)}), but holds {len(given)}"
            )
        for name, new, place in zip(names, given, places, strict=True):
            if new.shape != place.shape:
                found, wanted = list(new.shape), list(place.shape)
                raise ShapeError(f"state.{name} must have shape {wanted}, but has {found}")
        if given and not self._watch.weights():
            self._follow(given[0])
        with torch.no_grad():
            for new, place in zip(given, self._places(), strict=True):
                place.copy_(new)
        self._untouched = False

    def reset(self) -> None:
        """Go back to the states before the first step: zeros, or learned ones."""
        if self._watch.has_changed():
            self._prepare()
        self._begin()

    def _places(self) -> list[Tensor]:
        return [whole[:, 0] if self._unbatched else whole for whole in self._states]

    def _begin(self) -> None:
        like = torch.empty(0, dtype=self._dtype, device=self._device)
        with torch.no_grad():
            for layer, direction in enumerate(self._directions):
                firsts = direction.initial(like, self._n)
                for whole, first in zip(self._states, firsts, strict=True):
                    whole[layer].copy_(first)
        self._untouched = True

    def __reduce__(self) -> NoReturn:
        """A copy would step on the same states, and another process cannot follow the layer."""
        raise ConfigError(
            "a stepper cannot be copied or pickled: make another one of its layer, "
            "layer.stepper(batch_size, step.state)"
        )

    # Following the layer

    def _prepare(self) -> None:
        """Get ready for steps with the weights as they are now, in their precision."""
        self._watch.note()
        self._advance = self._fold  # always right, should what follows fail
        weight = next(self._directions[0].parameters(), None)
        if weight is not None:
            self._dtype, self._device = weight.dtype, weight.device
        self._is_cpu = self._device.type == "cpu"
        with torch.inference_mode(mode=False), torch.no_grad():
            self._states = [s.to(dtype=self._dtype, device=self._device) for s in self._states]
            if self._untouched:
                self._begin()
            self._advance = self._chosen()

    def _chosen(self) -> Callable[[Tensor], Tensor]:
        """What makes the steps: the kernels, or else whole calls of the layers."""
        like = torch.empty(self._y_shape, dtype=self._dtype, device=self._device)
        served = [serving(direction.bound, like) for direction in self._directions]
        backend, self.why = next((s for s in served if s[0].name != "cpu"), served[0])
        self.backend = backend.name
        if self.backend != "cpu":
            return self._fold
        refusals = [backend.refuses(direction.bound, like) for direction in self._directions]
        obstacle = next(filter(None, refusals), "") or self._obstacle()
        if obstacle:
            self.why += f"; as a whole call at every step, because {obstacle}"
            return self._fold
        from cellwise.backends.cpu.stepping import Steps

        return Steps([self._feed(layer) for layer in range(len(self._directions))], like).advance

    def _obstacle(self) -> str:
        """Why weights cannot be packed once for many steps, or an empty text."""
        for layer, direction in enumerate(self._directions):
            for name in direction.bound.compiled.forward.system.parameters:
                weight = direction._parameters.get(name)
                which = f"layer{layer}.{name}"
                if weight is None or type(weight) not in (Tensor, nn.Parameter):
                    return f"{which} is no plain parameter"
                if weight.is_inference():
                    return f"torch does not count the changes of {which}, made in inference mode"
                if weight.dtype != self._dtype or weight.device != self._device:
                    return f"{which} differs from other weights in type or device"
        return ""

    def _feed(self, layer: int) -> tuple[Bound, Feed]:
        """A layer's cell, with memory for its input, its states, and its weights."""
        direction = self._directions[layer]
        system = direction.bound.compiled.forward.system
        size = direction.signal_size(system.inputs[0])
        rows = torch.empty(self._n, size, dtype=self._dtype)
        arrays = direction.arrays(rows, [whole[layer] for whole in self._states])
        edges = dict(zip(system.states, arrays.edges, strict=True))
        weights = [weight.detach() for weight in arrays.parameters]
        parameters = dict(zip(system.parameters, weights, strict=True))
        return direction.bound, Feed({(system.inputs[0], "t"): rows}, edges, parameters)

    # Steps

    def _fold(self, x: Tensor) -> Tensor:
        """A step through the layers themselves."""
        levels = even_levels(1, self._n, torch.device("cpu"))
        rows = x.reshape(self._n, -1)
        with torch.no_grad():
            for layer, direction in enumerate(self._directions):
                states = [whole[layer] for whole in self._states]
                rows, last = direction(rows, states, levels, quiet=True)
                for whole, new in zip(self._states, last, strict=True):
                    whole[layer].copy_(new)
        return rows.reshape(self._y_shape)

    def _follow(self, given: Tensor) -> None:
        """Be of the type and on the device of what comes in, where no weight decides."""
        if (given.dtype, given.device) != (self._dtype, self._device):
            self._dtype, self._device = given.dtype, given.device
            self._prepare()

    def _admitted(self, x: Tensor) -> Tensor:
        """An x that is not just as expected: refused, or made so."""
        if torch._C._is_tracing():
            raise BackendError(
                "torch.jit.trace cannot follow a stepper, whose states it would not see: trace the "
                "layer, which takes and returns its states"
            )
        if type(x) not in (Tensor, nn.Parameter):
            raise ShapeError(f"x must be a plain tensor, but is a {type(x).__name__}")
        if x.shape != self._x_shape:
            wanted = f"{'[I]' if self._unbatched else '[B, I]'} = {list(self._x_shape)}"
            raise ShapeError(f"x must be {wanted}, but has shape {list(x.shape)}")
        if x.requires_grad and torch.is_grad_enabled():
            raise BackendError(
                "no gradients flow through a stepper, but x requires one: "
                "step under torch.no_grad(), or with x.detach()"
            )
        x = as_weights_are(x, self._directions[0]).detach()
        if not self._watch.weights():
            self._follow(x)
        if x.device != self._device:
            raise ShapeError(
                f"x is on {x.device}, but the layer's parameters are on {self._device}"
            )
        return x
