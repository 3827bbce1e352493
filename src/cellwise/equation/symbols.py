"""The printing table for text and Unicode: what each operation is read back from."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal, Protocol

from cellwise.equation.functions import ALIASES, TEXT_NAME, near_miss
from cellwise.equation.over import range_of
from cellwise.equation.piece import (
    ADJACENT,
    ATOM,
    MATRIX,
    POSTFIX,
    POWER,
    PRODUCT,
    SUM,
    UNARY,
    Piece,
    at_least,
    bracket,
    factor,
    listed,
    piece,
    plain_number,
)
from cellwise.graph.dimension import Dim
from cellwise.graph.node import Node
from cellwise.graph.operations import OPERATIONS

Style = Literal["text", "unicode", "latex"]


class Context(Protocol):
    """What a printer may ask about the system that it prints a part of."""

    style: Style
    derived: bool
    open: Collection[Node]

    def size(self, dim: Dim) -> str:
        """The names whose sizes add up to `dim`."""


Printer = Callable[[Node, tuple[Piece, ...], Context], Piece]
_SUBSCRIPTS = {"t": "ₜ", "t-1": "ₜ₋₁", "t+1": "ₜ₊₁", "n": "ₙ", "k": "ₖ", "n,k": "ₙₖ", "0": "₀"}
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def place(name: str, index: str, style: Style) -> str:
    """A signal at an index: `h[t-1]` or `hₜ₋₁`."""
    if not index:
        return name
    if style == "unicode" and index in _SUBSCRIPTS:
        return name + _SUBSCRIPTS[index]
    return f"{name}[{index}]"


def _read(node: Node, _: tuple[Piece, ...], context: Context) -> Piece:
    name, index = str(node.attributes[0]), str(node.attributes[1])
    return piece(ATOM, place(name, index, context.style))


def _name(node: Node, _: tuple[Piece, ...], __: Context) -> Piece:
    return piece(ATOM, str(node.attributes[0]))


def _labelled(node: Node, _: tuple[Piece, ...], __: Context) -> Piece:
    return piece(ATOM, f"{node.attributes[0]}[{node.attributes[1]}]")


def _number(node: Node, _: tuple[Piece, ...], context: Context) -> Piece:
    words = plain_number(float(str(node.attributes[0])))
    if words.startswith("-"):
        return piece(UNARY, ("−" if context.style == "unicode" else "-") + words[1:])
    return piece(ATOM, words)


def _sum(text: str, uni: str) -> Printer:
    def write(node: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
        right = bracket(inner[1]) if inner[1].level in (SUM, UNARY) else inner[1]
        return piece(SUM, inner[0], uni if context.style == "unicode" else text, right)

    return write


def _mul(node: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
    scalar = not all(a.shape for a in node.arguments)
    sign = " * " if context.style == "text" else " × " if scalar else " ∘ "
    return piece(PRODUCT, factor(inner[0]), sign, at_least(ADJACENT, inner[1]))


def _div(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
    return piece(PRODUCT, factor(inner[0]), " / ", at_least(ADJACENT, inner[1]))


def _pow(node: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
    base, exponent = at_least(POSTFIX, inner[0]), inner[1]
    words = str(exponent)
    if context.style == "unicode" and node.arguments[1].operation == "number" and words.isdigit():
        return piece(POWER, base, words.translate(_SUPERSCRIPTS))
    negative = node.arguments[1].operation == "number"
    return piece(POWER, base, " ** ", exponent if negative else at_least(POWER, exponent))


def _neg(node: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
    sign = "−" if context.style == "unicode" else "-"
    literal = node.arguments[0].operation == "number"
    return piece(UNARY, sign, bracket(inner[0]) if literal else at_least(ADJACENT, inner[0]))


def _matmul(node: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
    if context.style == "unicode" and _side_by_side(*node.arguments):
        return piece(ADJACENT, inner[0], " ", at_least(ATOM, inner[1]))
    sign = " @ " if context.style == "text" else " · "
    return piece(MATRIX, at_least(MATRIX, inner[0]), sign, at_least(ADJACENT, inner[1]))


def _side_by_side(left: Node, right: Node) -> bool:
    """Whether `W x` is read back as it is: `W (x)` looks like a call, `W [x]` like an index."""
    if left.operation not in ("parameter", "transpose", "labelled"):
        return False
    if right.operation in ("read", "parameter") or right.operation in _NAMED:
        return True
    if right.operation == "concat":
        return left.operation != "parameter"
    name = str(left.attributes[0]) if left.attributes else ""
    clear = name[:1].isupper() and not near_miss(name) and name not in ALIASES
    return right.operation in _BRACKETED and (left.operation != "parameter" or clear)


_BRACKETED = ("add", "sub", "mul", "div")


def _transpose(_: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
    return piece(POSTFIX, at_least(POSTFIX, inner[0]), "ᵀ" if context.style == "unicode" else ".T")


def _outer(node: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
    if context.style == "unicode" and len(inner) == 2:
        return piece(MATRIX, at_least(ADJACENT, inner[0]), " ⊗ ", at_least(ADJACENT, inner[1]))
    return _function("outer")(node, inner, context)


def _concat(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
    return piece(ATOM, "[", *listed(inner), "]")


def _function(name: str) -> Printer:
    def write(_: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
        written = "σ" if name == "sigmoid" and context.style == "unicode" else name
        return piece(ATOM, written, "(", *listed(inner), ")")

    return write


def _permute(node: Node, inner: tuple[Piece, ...], _: Context) -> Piece:
    axes = node.attributes[0]
    assert isinstance(axes, tuple)
    return piece(ATOM, "permute(", inner[0], *(f", {axis}" for axis in axes), ")")


def _part(node: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
    index, sizes = node.attributes
    assert isinstance(sizes, tuple)
    names = (f", {context.size(size)}" for size in sizes if isinstance(size, Dim))
    return piece(ATOM, "part(", inner[0], f", {index}", *names, ")")


def _broadcast(node: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
    sizes = [context.size(d) for d in node.shape] if node in context.open else []
    return piece(ATOM, "broadcast(", inner[0], *(f", {size}" for size in sizes), ")")


def _over(node: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
    sign = "∑(" if context.style == "unicode" else "sum("
    return piece(ATOM, sign, inner[0], f" for {range_of(node)})")


def _first(node: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
    (argument,) = node.arguments
    if argument.operation == "read" and argument.attributes[1] == "t":
        return piece(ATOM, place(str(argument.attributes[0]), "1", context.style))
    return piece(ATOM, "first(", inner[0], ")")


_NAMED = {
    name for name in TEXT_NAME if name not in ("outer", "permute", "part", "first")
} & OPERATIONS.keys()

SYMBOLS: dict[str, Printer] = {
    **{name: _function(TEXT_NAME[name]) for name in _NAMED},
    "read": _read,
    "parameter": _name,
    "constant": _name,
    "labelled": _labelled,
    "number": _number,
    "add": _sum(" + ", " + "),
    "sub": _sum(" - ", " − "),
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "neg": _neg,
    "matmul": _matmul,
    "transpose": _transpose,
    "outer": _outer,
    "concat": _concat,
    "permute": _permute,
    "broadcast": _broadcast,
    "part": _part,
    "total": _over,
    "first": _first,
    "sum_children": _over,
    "sum_parents": _over,
    "total_labelled": _over,
}
"""For every operation that is not internal, its printer for text and Unicode; or `latex.py`."""
