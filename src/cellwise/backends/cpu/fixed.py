"""What is the same in all rows: parameters, and what torch computes of them once a call."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cellwise.backends.emit import EMIT
from cellwise.graph.node import Node, walk


class Fixed:
    """The values of fixed expressions, each computed once; `dtype` is that of a call's arrays."""

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        constants: Mapping[str, float],
        sizes: Mapping[str, int],
        dtype: torch.dtype,
    ):
        self.parameters, self._constants = parameters, constants
        self._sizes, self.dtype = sizes, dtype
        self._values: dict[Node, Tensor] = {}

    def __call__(self, node: Node) -> Tensor:
        """The value of a fixed expression."""
        if node.operation in ("parameter", "labelled"):
            return self.parameters[str(node.attributes[0])]
        found = self._values.get(node)
        if found is None:
            for inner in walk([node]):
                if inner not in self._values:
                    self._values[inner] = self._value(inner)
            found = self._values[node]
        return found

    def _value(self, node: Node) -> Tensor:
        if node.operation in ("parameter", "labelled"):
            return self.parameters[str(node.attributes[0])]
        if node.operation == "constant":
            return self._scalar(self._constants[str(node.attributes[0])])
        if node.operation == "number":
            return self._scalar(float(str(node.attributes[0])))
        arguments = [self._values[a] for a in node.arguments]
        return EMIT[node.operation](node, self._sizes)(*arguments)

    def _scalar(self, value: float) -> Tensor:
        return torch.tensor(value, dtype=self.dtype)
