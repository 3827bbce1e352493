"""The printing table for LaTeX, as lecture notes and papers write equations."""

from __future__ import annotations

import re
import unicodedata

from cellwise.equation.functions import TEXT_NAME
from cellwise.equation.piece import (
    ADJACENT,
    ATOM,
    POSTFIX,
    POWER,
    PRODUCT,
    SUM,
    UNARY,
    Piece,
    at_least,
    bracket,
    listed,
    piece,
    plain_number,
)
from cellwise.equation.symbols import Context, Printer
from cellwise.graph.node import Node
from cellwise.graph.operations import OPERATIONS
from cellwise.graph.system import SLOTS

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau"
    " upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
).split()
_ACCENTS = {
    "\u0300": "grave",
    "\u0301": "acute",
    "\u0302": "hat",
    "\u0303": "tilde",
    "\u0304": "bar",
    "\u0306": "breve",
    "\u0307": "dot",
    "\u0308": "ddot",
    "\u030c": "check",
}
_SUBSCRIPT_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SOURCES = ("prev", "out", "pre", "in", "down", *SLOTS)
"""Words between `d_` and a name that say which cotangent of it is meant."""


def latex_name(name: str, index: str, *, derived: bool) -> str:
    r"""A name at an index; in derived equations `d_h` is `\bar{h}` and `h_dot` is `\dot{h}`."""
    accent, above = "", ""
    if derived:
        name, accent, above = _decoration(name)
    parts = re.sub(r"([₀-₉]+)", r"_\1", name).split("_")
    base, *lower = [part for part in parts if part] or ["_"]
    match = re.fullmatch(r"([^\W\d_])(\d+)", base)
    if match:
        base, lower = match.group(1), [match.group(2), *lower]
    symbol = f"\\{accent}{{{_symbol(base)}}}" if accent else _symbol(base)
    upper = f"^{{\\mathrm{{{above}}}}}" if above else ""
    below = [_symbol(part) for part in lower] + ([_index(index)] if index else [])
    lowered = ",".join(below)
    lowered = lowered if len(lowered) == 1 else f"{{{lowered}}}"
    return symbol + upper + (f"_{lowered}" if below else "")


def _decoration(name: str) -> tuple[str, str, str]:
    if name.endswith("_dot"):
        return name.removesuffix("_dot"), "dot", ""
    if not name.startswith("d_") or name == "d_":
        return name, "", ""
    first, _, rest = name.removeprefix("d_").partition("_")
    return (rest, "bar", first) if first in _SOURCES and rest else (name[2:], "bar", "")


def _index(index: str) -> str:
    return f"\\mathrm{{{index}}}" if index.isalpha() and len(index) > 1 else index


def _symbol(word: str) -> str:
    """A part of a name: a letter, a Greek letter, or an upright word."""
    word = word.translate(_SUBSCRIPT_DIGITS)
    letters = unicodedata.normalize("NFD", word)
    marks = [c for c in letters if unicodedata.combining(c)]
    plain = "".join(c for c in letters if not unicodedata.combining(c))
    symbol = _letters(plain)
    for mark in marks:
        if mark in _ACCENTS:
            symbol = f"\\{_ACCENTS[mark]}{{{symbol}}}"
    return symbol


def _letters(plain: str) -> str:
    if plain in _GREEK:
        return f"\\{plain}"
    if len(plain) == 1 and not plain.isascii():
        words = unicodedata.name(plain, "").split()
        name = words[-1].lower().replace("lamda", "lambda") if "GREEK" in words else ""
        name = name.capitalize() if "CAPITAL" in words else name
        if name in _GREEK:
            return f"\\{name}"
    if plain == "_":
        return "\\_"
    return plain if len(plain) == 1 or plain.isdigit() else f"\\mathrm{{{plain}}}"


def _read(node: Node, _: tuple[Piece, ...], context: Context) -> Piece:
    name, index = str(node.attributes[0]), str(node.attributes[1])
    return piece(ATOM, latex_name(name, index, derived=context.derived))


def _parameter(node: Node, _: tuple[Piece, ...], context: Context) -> Piece:
    return piece(ATOM, latex_name(str(node.attributes[0]), "", derived=context.derived))


def _constant(node: Node, _: tuple[Piece, ...], __: Context) -> Piece:
    return piece(ATOM, latex_name(str(node.attributes[0]), "", derived=False))


def _labelled(node: Node, _: tuple[Piece, ...], context: Context) -> Piece:
    return piece(
        ATOM, latex_name(str(node.attributes[0]), str(node.attributes[1]), derived=context.derived)
    )


def _number(node: Node, _: tuple[Piece, ...], __: Context) -> Piece:
    value = float(str(node.attributes[0]))
    words = latex_number(value)
    if "cdot" in words:
        return piece(PRODUCT, words)
    return piece(UNARY if value < 0 else ATOM, words)


def latex_number(value: float) -> str:
    """A number as it is set: a power of ten where it has one."""
    words = plain_number(value)
    if "1e999" in words:
        return words.replace("1e999", "\\infty")
    if "e" in words:
        digits, exponent = words.split("e")
        return f"{digits} \\cdot 10^{{{int(exponent)}}}"
    return words


def _sum(sign: str) -> Printer:
    def write(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
        right = bracket(inner[1]) if inner[1].level in (SUM, UNARY) else inner[1]
        return piece(SUM, inner[0], sign, right)

    return write


def _mul(node: Node, inner: tuple[Piece, ...], _: Context) -> Piece:
    sign = r" \odot " if all(a.shape for a in node.arguments) else r" \cdot "
    return piece(PRODUCT, at_least(PRODUCT, inner[0]), sign, at_least(ADJACENT, inner[1]))


def _div(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
    return piece(ADJACENT, r"\frac{", inner[0], "}{", inner[1], "}")


def _raised(base: Piece, above: str | Piece) -> Piece:
    """A power; a base that has a superscript of its own is kept apart."""
    inner = at_least(POSTFIX, base)
    apart = inner is base and "^" in str(inner)
    return piece(POWER, "{" if apart else "", inner, "}^{" if apart else "^{", above, "}")


def _pow(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
    return _raised(inner[0], inner[1])


def _neg(node: Node, inner: tuple[Piece, ...], _: Context) -> Piece:
    return piece(UNARY, "-", at_least(ADJACENT, inner[0]))


def _matmul(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
    return piece(ADJACENT, at_least(ADJACENT, inner[0]), " ", at_least(ADJACENT, inner[1]))


def _transpose(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
    return _raised(inner[0], r"\top")


def _outer(node: Node, inner: tuple[Piece, ...], _: Context) -> Piece:
    if len(inner) == 2:
        return piece(ADJACENT, at_least(ADJACENT, inner[0]), " ", _raised(inner[1], r"\top"))
    first, second, third = (at_least(ADJACENT, one) for one in inner)
    return piece(PRODUCT, first, r" \otimes ", second, r" \otimes ", third)


def _dot(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
    return piece(ADJACENT, _raised(inner[0], r"\top"), " ", at_least(ADJACENT, inner[1]))


def _bilinear(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
    array, first, second = inner
    middle = at_least(ADJACENT, array)
    return piece(ADJACENT, _raised(first, r"\top"), " ", middle, " ", at_least(ADJACENT, second))


def _concat(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
    return piece(ATOM, "[", *listed(inner), "]")


def _function(name: str) -> Printer:
    def write(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
        return piece(ATOM, name, "(", *listed(inner), ")")

    return write


def _around(before: str, after: str) -> Printer:
    def write(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
        return piece(ATOM, before, inner[0], after)

    return write


def _greater(_: Node, inner: tuple[Piece, ...], __: Context) -> Piece:
    return piece(ATOM, "[", inner[0], " > ", inner[1], "]")


def _part(node: Node, inner: tuple[Piece, ...], _: Context) -> Piece:
    return piece(ATOM, "[", inner[0], f"]_{{{int(str(node.attributes[0])) + 1}}}")


def _permute(node: Node, inner: tuple[Piece, ...], _: Context) -> Piece:
    axes = node.attributes[0]
    assert isinstance(axes, tuple)
    return _raised(inner[0], f"({' '.join(str(axis) for axis in axes)})")


def _broadcast(node: Node, inner: tuple[Piece, ...], _: Context) -> Piece:
    (argument,) = node.arguments
    if argument.operation == "number" and argument.attributes[0] in (0.0, 1.0):
        return piece(ATOM, rf"\mathbf{{{inner[0]!s}}}")
    return piece(ADJACENT, at_least(ADJACENT, inner[0]), r" \, \mathbf{1}")


def _over(node: Node, inner: tuple[Piece, ...], _: Context) -> Piece:
    return piece(PRODUCT, f"\\sum_{_below(node)} ", at_least(PRODUCT, inner[0]))


def _below(node: Node) -> str:
    """What stands below the sign of a sum."""
    attribute = str(node.attributes[0]) if node.attributes else ""
    if node.operation == "sum_children":
        return r"{k \in n}"
    if node.operation == "sum_parents":
        return f"{{p: n = \\mathrm{{{attribute}}}(p)}}" if attribute else r"{p: n \in p}"
    if node.operation == "total_labelled":
        return f"{{n,k: {_index(attribute)}}}"
    words = _index(attribute or "t")
    return words if len(words) == 1 else f"{{{words}}}"


def _first(node: Node, inner: tuple[Piece, ...], context: Context) -> Piece:
    (argument,) = node.arguments
    if argument.operation == "read" and argument.attributes[1] == "t":
        return piece(ATOM, latex_name(str(argument.attributes[0]), "1", derived=context.derived))
    return piece(ATOM, "(", inner[0], ")_{t=1}")


_SPECIAL_NAMES = {"sigmoid": r"\sigma", "sum": r"\mathrm{sum}"}
_OPERATORS = ("exp", "log", "sin", "cos", "tanh", "max", "min")


def _written(operation: str) -> str:
    name = TEXT_NAME[operation]
    if name in _OPERATORS:
        return f"\\{name}"
    return _SPECIAL_NAMES.get(name, f"\\mathrm{{{name.replace('_', '')}}}")


LATEX: dict[str, Printer] = {
    **{name: _function(_written(name)) for name in TEXT_NAME if name in OPERATIONS},
    "read": _read,
    "parameter": _parameter,
    "constant": _constant,
    "labelled": _labelled,
    "number": _number,
    "add": _sum(" + "),
    "sub": _sum(" - "),
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "neg": _neg,
    "matmul": _matmul,
    "transpose": _transpose,
    "outer": _outer,
    "dot": _dot,
    "bilinear": _bilinear,
    "concat": _concat,
    "abs": _around("|", "|"),
    "sqrt": _around(r"\sqrt{", "}"),
    "step": _around("[", " > 0]"),
    "inverse_std": _around(r"\mathrm{std}(", ")^{-1}"),
    "greater": _greater,
    "part": _part,
    "permute": _permute,
    "broadcast": _broadcast,
    "total": _over,
    "first": _first,
    "sum_children": _over,
    "sum_parents": _over,
    "total_labelled": _over,
}
"""For every operation of the graph that is not internal, its printer in LaTeX."""
