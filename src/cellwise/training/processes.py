"""One process or many, on whatever device: what the loop needs of accelerate, in one place.

Every process holds the whole model and takes its own batches; the gradients are summed over all
processes and divided by all their units, so that several do what one with larger batches would do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import safetensors.torch
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from cellwise.errors import ConfigError


class Processes:
    """This process among those that train together.

    Attributes:
        device: where this process computes.
        count: how many processes there are.
        rank: which one this is, from 0.
    """

    def __init__(self, device: str = "auto"):
        # All accelerators of a Python process share a state; a later run may want another device.
        if AcceleratorState._shared_state and AcceleratorState().num_processes == 1:
            AcceleratorState._reset_state(reset_partial_state=True)
        self._accelerator = Accelerator(cpu=find_device(device).type == "cpu")
        self.count: int = self._accelerator.num_processes
        self.rank: int = self._accelerator.process_index
        alone = self.count == 1 and device != "auto"
        self.device = find_device(device) if alone else self._accelerator.device
        if self.device.type == "cpu":
            self.device = torch.device("cpu")  # without the number that accelerate gives it

    @property
    def main(self) -> bool:
        """Whether this is the process that writes files and reports."""
        return self.rank == 0

    def sum(self, *values: float) -> list[float]:
        """Each number summed over all processes."""
        if self.count == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64).to(self._kind(torch.float64))
        return self._reduced(tensor.to(self.device)).tolist()

    def sum_gradients(self, model: nn.Module) -> None:
        """Give every process the sum of all processes' gradients; a missing one counts as zero."""
        if self.count == 1:
            return
        parameters = [p for p in model.parameters() if p.requires_grad]
        flat = torch.cat(
            [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters]
        )
        pieces = self._reduced(flat).split([p.numel() for p in parameters])
        for parameter, piece in zip(parameters, pieces, strict=True):
            parameter.grad = piece.view_as(parameter).clone()

    def share(self, batches: Sequence[list[int]], *, rows: bool = False) -> list[list[int]]:
        """This process's share of a plan: batches, or with `rows` some rows of every batch.

        Of batches every process has as many: a few may come twice. Rows are next to each other, and
        those of a place always go to the same process, which may have none of a smaller batch.

        Raises:
            ConfigError: batches have fewer rows than there are processes.
        """
        if rows:
            return self._rows(batches)
        steps = -(-len(batches) // self.count)
        return [batches[(s * self.count + self.rank) % len(batches)] for s in range(steps)]

    def _rows(self, batches: Sequence[list[int]]) -> list[list[int]]:
        width = max(map(len, batches))
        if width < self.count:
            raise ConfigError(
                f"batches of {width} rows cannot be shared by {self.count} processes; raise "
                "training.batch_size, or use fewer processes"
            )
        own = slice(width * self.rank // self.count, width * (self.rank + 1) // self.count)
        return [batch[own] for batch in batches]

    def gather(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """What every process gives, for all of them, in the order of their ranks."""
        if self.count == 1:
            return [dict(tensors)]
        content = safetensors.torch.save({k: t.cpu().contiguous() for k, t in tensors.items()})
        size = torch.tensor([len(content)], device=self.device)
        sizes = cast(Tensor, self._accelerator.gather(size)).tolist()
        padded = torch.zeros(1, max(sizes), dtype=torch.uint8)
        padded[0, : len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        rows = cast(Tensor, self._accelerator.gather(padded.to(self.device))).cpu().numpy()
        pairs = zip(rows, sizes, strict=True)
        return [safetensors.torch.load(row[:n_bytes].tobytes()) for row, n_bytes in pairs]

    def wait(self) -> None:
        """Wait until every process is here."""
        self._accelerator.wait_for_everyone()

    def close(self) -> None:
        """Leave the group of processes."""
        self._accelerator.end_training()

    def _reduced(self, tensor: Tensor) -> Tensor:
        reduced = self._accelerator.reduce(tensor, reduction="sum")
        assert isinstance(reduced, Tensor)
        return reduced

    def _kind(self, wanted: torch.dtype) -> torch.dtype:
        return torch.float32 if self.device.type == "mps" else wanted


def find_device(name: str) -> torch.device:
    """The torch device of a name; "auto" is an accelerator if there is one, else the CPU.

    Raises:
        ConfigError: this machine has no such device.
    """
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if name == "auto":
        return found or torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f'"{name}" is no device; write "cpu", "cuda" or "auto"') from error
    absent = device.type != "cpu" and (found is None or found.type != device.type)
    if absent or (device.index or 0) >= max(1, torch.accelerator.device_count()):
        have = (
            "the CPU only" if found is None else f"{torch.accelerator.device_count()} {found.type}"
        )
        raise ConfigError(f'there is no device "{name}" on this machine; it has {have}')
    return device
