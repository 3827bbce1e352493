"""Calls: functions by their number of arguments, and `W (r * h)`, which is a product."""

from __future__ import annotations

from dataclasses import replace

from cellwise.equation.functions import ARITY, FUNCTIONS, accepted, near_miss
from cellwise.equation.syntax import Term
from cellwise.errors import EquationError, Span


def function(term: Term, arguments: tuple[Term, ...]) -> Term:
    """The operation that a call of a known function stands for.

    Raises:
        EquationError: the number of arguments is wrong.
    """
    count = len(term.arguments)
    for operation in FUNCTIONS[term.name]:
        fewest, most = ARITY[operation]
        if fewest <= count <= most:
            return _literal(replace(term, kind=operation, arguments=arguments), term.arguments)
    wanted = accepted(term.name)
    plural = "argument" if wanted == "1" else "arguments"
    verb = "is" if count == 1 else "are"
    raise EquationError(
        f"'{term.name}' takes {wanted} {plural}, but {count} {verb} given", span=term.span
    )


def product(term: Term, arguments: tuple[Term, ...], *, matrix: bool) -> Term:
    """The product that `W (r * h)` stands for.

    Args:
        term: the call.
        arguments: what stands in its brackets.
        matrix: whether the name is used as a matrix elsewhere; an upper-case letter says so too.

    Raises:
        EquationError: it is no product, so the function is unknown.
    """
    name, place = term.name, _place(term)
    miss = near_miss(name)
    if len(arguments) == 1 and (matrix or (name[0].isupper() and not miss)):
        left = Term("parameter", place, name=name)
        return replace(term, kind="matmul", name="adjacent", arguments=(left, arguments[0]))
    if miss:
        hint = f"Did you mean '{miss}'?"
    elif len(name) > 2:
        hint = f"Functions are {', '.join(FUNCTIONS)}."
    elif len(arguments) > 1:
        hint = f"A product with the vectors joined is written {name} @ [a, b]."
    else:
        hint = f"A product needs its sign: {name} @ (...) or {name} * (...)."
    raise EquationError(f"unknown function '{name}'", span=place, hint=hint)


def no_function(term: Term, *, signal: bool) -> EquationError:
    """The error for a signal or constant that is followed by a bracket."""
    first = f"{term.name}[t]" if signal else term.name
    hint = f"A product is written with its sign: {first} * (...)."
    return EquationError(f"'{term.name}' is no function", span=_place(term), hint=hint)


def refuse_round_index(term: Term) -> None:
    """`h(t-1)` is meant as `h[t-1]`.

    Raises:
        EquationError: the call's brackets hold an index.
    """
    words = term.span.text[term.span.start : term.span.end]
    inside = words[_width(words) :].strip(" ()")
    if "".join(inside.split()) in ("t", "t-1", "t+1", "n", "k"):
        hint = f"An index is written in square brackets: {term.name}[{inside}]."
        raise EquationError(f"'{term.name}' is no function", span=term.span, hint=hint)


def _place(term: Term) -> Span:
    """The place of the function's name; in the term it is normalised and may be shorter."""
    words = term.span.text[term.span.start : term.span.end].lstrip("( ")
    start = term.span.start + (term.span.end - term.span.start - len(words))
    return Span(term.span.text, start, start + _width(words))


def _width(words: str) -> int:
    return len(words[: words.index("(")].rstrip())


def _literal(term: Term, raw: tuple[Term, ...]) -> Term:
    """Read the axes of `permute`, the index and the sizes of `part`, the sizes of `broadcast`."""
    if term.kind == "broadcast":
        return replace(term, sizes=tuple(_names(a) for a in raw[1:]))
    if term.kind == "permute":
        axes = tuple(_integer(a) for a in raw[1:])
        if sorted(axes) != [0, 1, 2]:
            raise EquationError("'permute' takes the axes 0, 1 and 2, each once", span=term.span)
        return replace(term, axes=axes)
    if term.kind == "part":
        index = _integer(raw[1])
        if not 0 <= index < len(raw) - 2:
            cause = f"'part' has no piece {index}: {len(raw) - 2} pieces are given, counted from 0"
            raise EquationError(cause, span=raw[1].span)
        return replace(term, axes=(index,), sizes=tuple(_names(a) for a in raw[2:]))
    return term


def _integer(term: Term) -> int:
    if term.kind != "number" or term.value != int(min(max(term.value, -9), 9999)):
        raise EquationError(f"a whole number is expected, but '{term}' is found", span=term.span)
    return int(term.value)


def _names(term: Term) -> tuple[str, ...]:
    """The names whose sizes add up to a piece: `h`, `h[t]`, `[x, h]`; `W.1` for `W.T`."""
    found, stack = list[str](), [term]
    while stack:
        inner = stack.pop()
        name = _sized(inner)
        if not name and inner.kind != "concat":
            raise EquationError(
                f"the size of a piece is given by names, but '{term}' is found",
                span=term.span,
                hint="Write a name, or [a, b] for the sum of two sizes.",
            )
        found += [name] if name else []
        stack += () if name else reversed(inner.arguments)
    return tuple(found)


def _sized(term: Term) -> str:
    """What has the size of a term: a name, or an axis of an array that is transposed; else none."""
    if term.kind in ("bare", "read"):
        return term.name
    inside = [inner.kind for inner in term.arguments]
    if (term.kind, inside) == ("transpose", ["bare"]):
        return f"{term.arguments[0].name}.1"
    permuted = (term.kind, term.name, inside) == ("call", "permute", ["bare", *["number"] * 3])
    return f"{term.arguments[0].name}.{_integer(term.arguments[1])}" if permuted else ""
