"""Hypothesis strategies: random well-typed cells as texts, with sizes, lengths and a seed.

Every text is right by construction: an expression is written for a wanted size, from templates
whose slots are filled by smaller expressions of known sizes. The first template of each table is
the simplest, so that a failing cell shrinks to a short text, and a `Case` prints as Python that
can be pasted into a test.

Domains are kept where the mathematics is smooth and tame: roots, logarithms and denominators see
values of at least a half, exponents are bounded, states are squashed or mixed. Kinks (`relu`,
`max`, …) do occur; see `tests.laws.margins` for how laws that difference numerically stay clear
of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from cellwise.graph.operations import OPERATIONS

Size = tuple[str, ...]
"""A size by design: () a scalar, ("A",) a vector, ("A", "B") a vector joined from two."""

GUARDED = {"exp", "log", "sqrt"}
_CALLS = [
    f"{name}({{v}})"
    for name, row in OPERATIONS.items()
    if row.kind == "elementwise" and row.arity == (1, 1) and name not in GUARDED | {"neg"}
]

# Slots: v the wanted size; b bounded by 1 and q at least 1/2, of the wanted size; g a gate; k a
# coefficient below 1; s a scalar; o, p vectors of other sizes, the same throughout a template; M
# a matrix from o, N a matrix to o (used transposed), V a third-order array over o and p, P the
# same to be permuted; X a matrix from o and p joined, Y one to c and d joined, which are names,
# the same at every place of a template. In the lines of states: h the state before, W a square
# matrix, a a leaf that is a vector (or a scalar) for certain, so that the rank of a state that
# reads nothing but itself is never in doubt.
BOUNDED = ("tanh({v})", "sigmoid({v})", "sin({v})", "cos({v})", "hard_tanh({v})", "erf({v})")
POSITIVE = (
    "1 + sigmoid({v})",
    "1 + exp({b})",
    "1.5 + sin({v})",
    "1 + {v} ** 2",
    "0.5 + softplus({v})",
    "1 + abs({v})",
)
ANY = (
    "{v} + {v}",
    "{v} - {v}",
    "{v} * {v}",
    "-{v}",
    *_CALLS,
    "exp({b})",
    "log({q})",
    "sqrt({q})",
    "{v} / ({q})",
    "({q}) ** {b}",
    "({q}) ** -1",
    "2 ** {b}",
    "{b} ** 3",
    "{v} * {s}",
    "{s} - {v}",
    "{v} / ({S})",
    "max({v}, {v})",
    "min({v}, {v})",
    "min({s}, {v})",
    "greater({v}, {v})",
)
VECTOR = (
    "{M} @ {o}",
    "{M} @ {o} + {W} @ {v} + {v}",
    "{v} - ({M} @ {o} - ({W} @ {v} - {v}))",
    *ANY,
    "{N}.T @ {o}",
    "{X} @ [{o}, {p}]",
    "softmax({v})",
    "norm({v})",
    "is_largest({v})",
    "bilinear({V}, {o}, {p})",
    "bilinear(permute({P}, 1, 0, 2), {o}, {p})",
    "outer({v}, {o}) @ {o}",
    "broadcast({s}) + {v}",
    "part([{c}, {d}] * sigmoid({Y} @ {o}), 0, {c}, {d})",
)
SCALAR = (
    "sum({o})",
    "mean({o})",
    "dot({o}, {o})",
    "max({o})",
    "min({o})",
    "inverse_std({o})",
    *[form for form in ANY if "{s}" not in form and "{S}" not in form],
)
GATE = ("sigmoid({M} @ {o} + {v})", "sigmoid({v})", "hard_sigmoid({v})", "0.5 * sigmoid({v})")
STATE = (
    "tanh({v} + {a})",
    "{g} * {h} + {b} * {a}",
    "{k} * {h} + {k} * {b} - {k} * {a}",
    "(1 - {g}) * {h} + {g} * tanh({a} - {v})",
    "tanh({W} @ {h} + {v})",
    "max({h}, {b} + {a})",
    "{h} + {k} * {b} * {a}",
    "norm({h} + {a} * {v})",
    "softmax({h} + {v} - {a})",
)
SCALAR_STATE = (
    "tanh({v} + {a})",
    "{g} * {h} + {b} * {a}",
    "{k} * {h} + {k} * {b} - {k} * {a}",
    "(1 - {g}) * {h} + {g} * tanh({a})",
    "max({h}, {b} + {a})",
    "{h} + {k} * {b} * {a}",
)
LITERALS = ("1", "2", "0.5", "0.25", "1.5", "3e-1")
SLOT = re.compile(r"\{(\w)\}")
INFIX = re.compile(r" [-+*/@]|^-")

NAMES = ("z", "r", "g", "a_1", "h_1", "q", "d_h", "h_dot", "d_x", "d_prev_h", "φ", "ĉ", "d_pre_z")
STATES = ("h", "c", "m_2", "x_dot", "c̃")


@dataclass(frozen=True)
class Index:
    """How a text writes places: this step, and the ways to read a state of the step before."""

    now: str
    before: tuple[str, ...]


CHAIN = Index("t", ("{}[t-1]",))
GATED = "sum(sigmoid({0}[k]) * {0}[k] for k in n)"
TREE = Index("n", ("sum({}[k] for k in n)", "{}[left]", "{}[right]", GATED))


@dataclass
class Writer:
    """Writes the lines of one cell; what can be read grows as lines are added."""

    draw: DrawFn
    index: Index
    readable: list[tuple[str, Size]] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    parameters: dict[tuple[str, tuple[Size, ...]], list[str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def pick(self, options: tuple[str, ...] | list[str]) -> str:
        """One of the options; shrinks towards the first."""
        return self.draw(st.sampled_from(options))

    def likely(self, percent: int) -> bool:
        """True about this often; shrinks towards False."""
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def size(self) -> Size:
        """The size of some signal."""
        return self.draw(st.sampled_from(self.sizes))

    def parameter(self, letter: str, *sizes: Size) -> str:
        """A parameter of these sizes: mostly a fresh name, sometimes one used before."""
        known = self.parameters.get((letter, sizes))
        return self.pick(known) if known and self.likely(40) else self.fresh(letter, *sizes)

    def fresh(self, letter: str, *sizes: Size) -> str:
        """A parameter that was not used before."""
        name = f"{letter}_{sum(map(len, self.parameters.values())) + 1}"
        self.parameters.setdefault((letter, sizes), []).append(name)
        return name

    def leaf(self, size: Size) -> str:
        """The simplest expressions of a size: what can be read, a parameter, a number."""
        choices = [text for text, found in self.readable if found == size]
        if not size:
            choices += ["sum", "number"]
        elif len(size) > 1:
            choices += ["parts"]
        elif len(choices) < 2 or self.likely(20):
            choices += ["fresh"]
        chosen = self.pick(choices)
        if chosen == "sum":
            return f"{self.pick(['sum', 'mean', 'max'])}({self.leaf(self.size())})"
        if chosen == "number":
            return self.pick(LITERALS)
        if chosen == "parts":
            return f"[{', '.join(self.leaf((name,)) for name in size)}]"
        return self.parameter("b", size) if chosen == "fresh" else chosen

    def name(self, size: Size) -> str:
        """A leaf that is a name."""
        known = [text for text, found in self.readable if found == size and "(" not in text]
        return self.pick([*known, ""]) or self.parameter("b", size)

    def anchor(self, size: Size) -> str:
        """A leaf that is of this size for certain."""
        if not size:
            return f"{self.pick(['sum', 'mean'])}({self.leaf(self.size())})"
        fitting = [text for text, found in self.readable if found == size]
        sure = [text for text in fitting if text.startswith(("x[", "e["))]
        return self.pick([*sure, ""]) or self.parameter("b", size)

    def expression(self, size: Size, depth: int, forms: tuple[str, ...] | None = None) -> str:
        """An expression of the wanted size, at most `depth` templates deep."""
        if depth <= 0 and forms is None:
            return self.leaf(size)
        return self.fill(self.pick(forms or (VECTOR if size else SCALAR)), size, depth)

    def fill(self, form: str, size: Size, depth: int, state: str = "") -> str:
        """A template with its slots filled."""
        other, third = self.size(), self.size()
        first, second = cache(lambda: self.name(size)), cache(lambda: self.name(third))
        slots: dict[str, Callable[[], str]] = {
            "v": lambda: self.operand(size, depth),
            "b": lambda: self.operand(size, depth, BOUNDED),
            "q": lambda: self.expression(size, depth - 1, POSITIVE),
            "S": lambda: self.expression((), depth - 1, POSITIVE),
            "g": lambda: self.operand(size if self.likely(80) else (), depth, GATE),
            "k": lambda: self.pick(["0.5", "0.25"]),
            "s": lambda: self.operand((), depth),
            "o": lambda: self.operand(other, depth),
            "p": lambda: self.operand(third, depth),
            "h": lambda: state,
            "a": lambda: self.anchor(size),
            "M": lambda: self.parameter("W", size, other),
            "W": lambda: self.parameter("W", size, size),
            "N": lambda: self.parameter("W", other, size),
            "X": lambda: self.fresh("W", size, (*other, *third)),
            "Y": lambda: self.fresh("W", (*size, *third), other),
            "c": first,
            "d": second,
            "V": lambda: self.parameter("V", size, other, third),
            "P": lambda: self.parameter("V", other, size, third),
        }
        return SLOT.sub(lambda match: _wrap(slots[match[1]](), form, match), form)

    def operand(self, size: Size, depth: int, forms: tuple[str, ...] | None = None) -> str:
        """An expression to be put into a slot of a template."""
        if forms is GATE and not size:
            forms = GATE[1:]
        return self.expression(size, depth - 1, forms)

    def define(self, name: str, size: Size, value: str) -> None:
        """Add a line, after which the name can be read."""
        comment = f"  # {self.pick(['what it is', 'a = b, c[t]'])}" if self.likely(10) else ""
        self.lines.append(f"{name}[{self.index.now}] = {value}{comment}")
        self.readable.append((f"{name}[{self.index.now}]", size))

    def define_state(self, name: str, size: Size, depth: int) -> None:
        """Add the line of a state, which reads itself at the step before."""
        before = self.pick(self.index.before).format(name)
        forms = STATE if size else SCALAR_STATE
        self.define(name, size, self.fill(self.pick(forms), size, depth, state=before))


def _wrap(text: str, form: str, slot: re.Match[str]) -> str:
    """The text in parentheses, where an infix around the slot would take it apart."""
    enclosed = form[: slot.start()].endswith(("(", "[", ", ")) and form[slot.end() :].startswith(
        (")", "]", ",")
    )
    closed = enclosed or not INFIX.search(text) or text.startswith("[")
    return text if closed else f"({text})"


def _write(draw: DrawFn, index: Index, depth: int, most_inputs: int = 2) -> str:
    """The text of a random cell: its input, then gates and states in turn, perhaps an output."""
    ends = ((1, most_inputs), (1, 3), (0, 3))
    n_inputs, n_states, n_gates = (draw(st.integers(low, high)) for low, high in ends)
    writer = Writer(draw, index)
    inputs, letters = ("x", "u")[:n_inputs], ("A", "B", "C")
    sizes: dict[str, Size] = {name: (draw(st.sampled_from(letters)),) for name in inputs}
    for name in STATES[:n_states]:
        sizes[name] = () if writer.likely(20) else (draw(st.sampled_from(letters)),)
    writer.sizes = list(dict.fromkeys(size for size in sizes.values() if size))
    writer.readable = [(f"{name}[{index.now}]", sizes[name]) for name in inputs]
    for name in STATES[:n_states]:
        writer.readable += [(way.format(name), sizes[name]) for way in index.before]
    if writer.likely(40):
        writer.lines.append("alpha = 0.3")
        writer.readable.append(("alpha", ()))
    gates = draw(st.permutations(NAMES))[:n_gates]
    _write_lines(writer, {name: sizes[name] for name in STATES[:n_states]}, gates, depth)
    return "\n".join(writer.lines)


def _write_lines(writer: Writer, states: dict[str, Size], gates: list[str], depth: int) -> None:
    size = writer.size()
    matrix = writer.parameter("W", size, writer.readable[0][1])
    writer.define("e", size, f"{matrix} @ {writer.readable[0][0]}")
    order = [*states, *gates]
    if gates and writer.likely(60):
        order = [*gates, *states]
    for name in order:
        if name in states:
            writer.define_state(name, states[name], depth)
        else:
            size = () if writer.likely(25) else writer.size()
            writer.define(name, size, writer.expression(size, depth))
    for name in states:
        is_read = any(f"{name}[t-1]" in line for line in writer.lines)
        if is_read and writer.likely(25):
            writer.lines.append(f"{name}[0] = {name}_0")
    if writer.likely(30):
        size = writer.size()
        writer.define("y", size, writer.expression(size, depth))


@st.composite
def chain_texts(draw: DrawFn, depth: int = 3, most_inputs: int = 2) -> str:
    """The texts of random cells over sequences."""
    return _write(draw, CHAIN, depth, most_inputs)


@st.composite
def tree_texts(draw: DrawFn, depth: int = 2, most_inputs: int = 2) -> str:
    """The texts of random cells over trees."""
    return _write(draw, TREE, depth, most_inputs)
