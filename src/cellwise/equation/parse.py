"""From text to terms: the grammar is in `grammar.lark`, the places come from lark's tokens."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from cellwise.equation.diagnose import diagnose
from cellwise.equation.functions import ALIASES
from cellwise.equation.lines import KEYWORDS, Stretch, split
from cellwise.equation.over import over
from cellwise.equation.syntax import Declaration, Line, Term, snippet
from cellwise.errors import EquationError, Span, nearest

MAX_NESTING = 400
_PLAIN = str.maketrans("ₜₙₖ₋₊₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹−", "tnk-+01234567890123456789-")
_SIGNS = str.maketrans("−∘⊙×·⋅", "-***@@")


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed text."""

    text: str
    lines: tuple[Line, ...]
    declarations: tuple[Declaration, ...]


def parse(text: str) -> Source:
    """The lines of a text as terms, their names not yet looked up.

    Raises:
        EquationError: the text does not follow the grammar.
    """
    lines: list[Line] = []
    declarations: list[Declaration] = []
    for stretch in split(text):
        tree = _tree(stretch)
        reader = _Reader(text, stretch.span.start)
        if stretch.declares:
            declarations.append(reader.declaration(tree))
        else:
            lines.append(reader.line(tree, stretch))
    return Source(text, tuple(lines), tuple(declarations))


@cache
def _parser() -> Lark:
    grammar = resources.files("cellwise").joinpath("equation/grammar.lark").read_text("utf-8")
    return Lark(
        grammar,
        parser="lalr",
        start=["equation", "declaration"],
        keep_all_tokens=True,
        maybe_placeholders=False,
    )


def _tree(stretch: Stretch) -> Tree[Token]:
    span = stretch.span
    code = span.text[span.start : span.end].translate(_SIGNS)
    try:
        return _parser().parse(code, start="declaration" if stretch.declares else "equation")
    except UnexpectedInput as error:
        raise diagnose(error, span, code) from None


Piece = Term | Token


class _Reader:
    """Turns lark's tree of one line into terms, bottom-up and without recursion."""

    def __init__(self, text: str, offset: int):
        self.text, self.offset = text, offset

    def declaration(self, tree: Tree[Token]) -> Declaration:
        keyword = str(tree.children[0])
        assert keyword in KEYWORDS
        names = [self.sized(t, keyword) for t in tree.children if isinstance(t, Tree)]
        return Declaration(keyword, tuple(names))

    def sized(self, tree: Tree[Token], keyword: str) -> tuple[str, Span]:
        """A name, or in a `same` line an axis: `W.1` for the columns of W, written `W.T`."""
        tokens = [t for t in tree.children if isinstance(t, Token)]
        span = self.span(tokens[0], tokens[-1])
        if len(tokens) == 1:
            return _name(tokens[0]), span
        if keyword != "same":
            cause = f"'{keyword}' takes names, but '{snippet(span)}' is found"
            raise EquationError(cause, span=span)
        if len(tokens) == 2:
            return f"{_name(tokens[0])}.1", span
        if tokens[0] != "permute" or tokens[4] not in ("0", "1", "2"):
            cause = f"'{snippet(span)}' is neither a name nor a transposed array"
            raise EquationError(cause, span=span)
        return f"{_name(tokens[2])}.{tokens[4]}", span

    def line(self, tree: Tree[Token], stretch: Stretch) -> Line:
        first, *middle, _, body = tree.children
        assert isinstance(first, Token)
        index, last = "", first
        if middle:
            last = _token(middle[0])
            index = index_of(last)
        target = self.span(first, last)
        value = self.term(body)
        return Line(_name(first), index, value, target, stretch.span, stretch.comment)

    def span(self, first: Piece, last: Piece) -> Span:
        """The stretch from the start of one piece to the end of another."""
        start = (
            first.span.start if isinstance(first, Term) else self.offset + (first.start_pos or 0)
        )
        end = last.span.end if isinstance(last, Term) else self.offset + (last.end_pos or 0)
        return Span(self.text, start, end)

    def term(self, root: Tree[Token] | Token) -> Term:
        """The term of an expression's tree."""
        done: list[Piece] = []
        stack: list[tuple[Tree[Token] | Token, bool]] = [(root, False)]
        while stack:
            tree, ready = stack.pop()
            if isinstance(tree, Token):
                done.append(tree)
            elif tree.data == "place":
                done.append(_token(tree))
            elif ready:
                count = len(tree.children)
                pieces = done[-count:]
                del done[-count:]
                done.append(self.make(str(tree.data), pieces))
            else:
                stack.append((tree, True))
                stack.extend((child, False) for child in reversed(tree.children))
        (result,) = done
        assert isinstance(result, Term)
        return result

    def make(self, rule: str, pieces: list[Piece]) -> Term:
        """The term of one rule of the grammar."""
        span = self.span(pieces[0], pieces[-1])
        terms = tuple(p for p in pieces if isinstance(p, Term))
        tokens = [p for p in pieces if isinstance(p, Token)]
        if rule == "group":  # a bracketed number is no literal any more: -(2) is the negative of 2
            inner = terms[0]
            return replace(inner, span=span, index="()" if inner.kind == "number" else inner.index)
        term = _make(rule, span, terms, tokens)
        depth = _depth(rule, terms)
        if depth > MAX_NESTING:
            raise EquationError(f"the expression nests deeper than {MAX_NESTING} levels", span=span)
        return replace(term, depth=depth)


def _depth(rule: str, terms: tuple[Term, ...]) -> int:
    """A flat sum or product is no deeper than its deepest term."""
    if rule in ("add", "sub", "mul", "div", "matmul", "outer"):
        return max(terms[0].depth, terms[1].depth + 1)
    return max((t.depth + 1 for t in terms), default=0)


def _make(rule: str, span: Span, terms: tuple[Term, ...], tokens: Sequence[Token]) -> Term:
    if rule == "number":
        return Term("number", span, value=float(tokens[0]))
    if rule == "neg" and terms[0].kind == "number" and not terms[0].index:
        return Term("number", span, value=-terms[0].value)
    if rule == "superscript":
        exponent = Term("number", span, value=float(str(tokens[0]).translate(_PLAIN)))
        return Term("pow", span, (terms[0], exponent))
    if rule == "over":
        return _over(span, terms, tokens)
    name = _name(tokens[0]) if rule in ("bare", "read", "call") else ""
    index = index_of(tokens[1]) if rule == "read" else ""
    name = ALIASES.get(name, name) if rule == "call" else name
    return Term(rule, span, terms, name=name, index=index)


def _over(span: Span, terms: tuple[Term, ...], tokens: Sequence[Token]) -> Term:
    """`sum(EXPR for t)`, `sum(EXPR for k in n)` and so on."""
    name = ALIASES.get(str(tokens[0]), str(tokens[0]))
    if name != "sum":
        raise EquationError(
            f"'{name}' cannot run over steps or children",
            span=span,
            hint=f"Only 'sum' can. {nearest(name, ['sum'])}".strip(),
        )
    words = "".join(f" {t} " if t == "in" else str(t) for t in tokens[3:-1])
    return over(span, terms[0], words)


def index_of(token: Token) -> str:
    """An index in its plain form: `t-1` for `[t - 1]` and `ₜ₋₁`."""
    words = str(token).strip("[]").translate(_PLAIN)
    plain = "".join(words.split())
    return "n,k" if plain == "nk" and token.type == "SUBSCRIPT" else plain


def _token(tree: object) -> Token:
    assert isinstance(tree, Tree)
    token = tree.children[0]
    assert isinstance(token, Token)
    return token


def _name(token: Token) -> str:
    return unicodedata.normalize("NFC", str(token))
