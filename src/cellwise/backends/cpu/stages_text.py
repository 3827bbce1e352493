"""Programs and stages as text, for a trace."""

from __future__ import annotations

from collections.abc import Sequence

from cellwise.backends.cpu.layout import Layout
from cellwise.backends.cpu.stage_kernel import StageKernel
from cellwise.graph.node import Node
from cellwise.passes.program import Program

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "matmul": "@"}


def program_as_text(program: Program) -> str:
    """The equations of each section."""
    lines = []
    for section in ("before", "loop", "after", "totals"):
        lines.append(f"# {section}")
        for line in getattr(program, section):
            index = f"[{line.index}]" if line.index else ""
            lines.append(f"{line.name}{index} = {expression(line.value)}")
        lines.append("")
    return "\n".join(lines)


def expression(node: Node) -> str:
    """An expression as one line."""
    inner = [expression(a) for a in node.arguments]
    names = [str(a) for a in node.attributes if isinstance(a, str | int | float)]
    if node.operation == "read":
        return f"{names[0]}[{names[1]}]"
    if node.operation in ("parameter", "labelled", "constant", "number"):
        return names[0]
    if node.operation in _INFIX:
        return f"({inner[0]} {_INFIX[node.operation]} {inner[1]})"
    return f"{node.operation}({', '.join([*inner, *names])})"


def stages_as_text(kernels: Sequence[StageKernel], layout: Layout) -> str:
    """The stages: what each computes, in vectors of how many lanes, from which products."""
    lines = []
    for number, kernel in enumerate(kernels):
        stage = kernel.stage
        lines.append(
            f"stage {number} ({stage.section}): {stage.size} units, {kernel.lanes} lanes, "
            f"{kernel.n_slots} products a unit"
        )
        for operand in kernel.operands:
            chunks = ", ".join(str(run.chunks) for run in operand.runs)
            lines.append(
                f"  times {expression(operand.node)}, {operand.length} long: "
                f"{len(operand.slots)} products, vectors at once {chunks}"
            )
        for piece in stage.pieces:
            kept = ", ".join(place.kind for place in layout.stores(piece)) or "registers"
            lines.append(f"  {piece.name} {piece.start}..{piece.start + piece.size}: {kept}")
        lines.append("")
    return "\n".join(lines)
