"""How many operations a cell's products take, counted from its equations."""

from __future__ import annotations

from collections.abc import Mapping

from cellwise.bench.workload import Workload
from cellwise.graph.node import Node, walk
from cellwise.graph.system import System

BACKWARD = 2
"""A product's backward is two products of its size: for the vector and for the matrix."""


def product_flops(system: System, sizes: Mapping[str, int]) -> int:
    """The operations of all products of one step of one sequence, as the equations stand.

    A matrix times a vector counts 2 · rows · columns, a bilinear form two for each of its
    numbers and each of the products inside. All else counts nothing.
    """
    nodes = walk(line.value for line in system.equations)
    return sum(_flops(node, sizes) for node in nodes if node.varies)


def _flops(node: Node, sizes: Mapping[str, int]) -> int:
    if node.operation not in ("matmul", "bilinear"):
        return 0
    numbers = 1
    for size in node.arguments[0].shape:
        numbers *= size.evaluate(sizes)
    if node.operation == "bilinear":
        numbers += numbers // node.arguments[0].shape[2].evaluate(sizes)
    for size in node.arguments[1].shape[1:] if node.operation == "matmul" else ():
        numbers *= size.evaluate(sizes)
    return 2 * numbers


def workload_flops(workload: Workload) -> int:
    """The operations of the products of a whole call, over live steps only."""
    layer = workload.layer()
    first = layer.get_submodule("layer0")
    sizes: Mapping[str, int] = first.sizes  # type: ignore[assignment]  # a Direction has them
    flops = product_flops(layer.cell.system, sizes) * workload.n_rows * layer.num_directions
    return flops * (1 + BACKWARD) if workload.mode == "both" else flops
