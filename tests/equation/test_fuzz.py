"""Any text at all is either read or refused with an error of our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.equation import read_system, show
from cellwise.errors import CellwiseError
from tests.equation.test_read import GRU

TREE = "f[n,k] = σ(W[r] @ h[k] + U xₙ)\nh[n] = sum(f[n,k] * h[k] for k in n)\nh[leaf] = tanh(b)\n"
DERIVED = (
    "given x, h\nsame d_h, h\nd_h[t] = W.T @ d_h[t+1] * h[t-1]\nd_W = ∑(d_h[t] ⊗ x[t] for t)\n"
)
TOKENS = """
    h[t] x[t] h[t-1] h[t+1] x[n] h[k] f[n,k] h[leaf] h[0] W b a 2 0.5 1e999 = == + - * / ** @ ⊗ ∘
    ( ) [ ] , tanh( σ( max( sum( dot( bilinear( part( permute( broadcast( norm( for k in n t given
    · ² ᵀ .T scalar vector same output # ₜ ₜ₋₁ ₙ ₖ é c̃ W[r] \n \n \r\n \t
""".split(" ")
"""Split at blanks only, so that line breaks are tokens too."""

texts = st.text(max_size=80)
salads = st.lists(st.sampled_from(TOKENS), max_size=30).map(" ".join)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A right cell with a stretch cut out, doubled, moved or replaced."""
    text = draw(st.sampled_from([GRU, TREE, DERIVED]))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.integers(0, 12)))
        new = draw(st.one_of(st.just(""), st.sampled_from(TOKENS), st.just(2 * text[start:stop])))
        text = text[:start] + new + text[stop:]
    return text


def _read_or_refuse(text: str) -> None:
    try:
        system = read_system(text)
    except CellwiseError:
        return
    for style in ("text", "unicode"):
        assert read_system(show(system, style)) == system
    assert show(system, "latex")


@given(text=texts)
def test_random_text(text):
    _read_or_refuse(text)


@given(text=salads)
def test_random_words_of_the_notation(text):
    _read_or_refuse(f"h[t] = {text}")
    _read_or_refuse(text)


@given(text=mutated())
def test_cells_with_mistakes(text):
    _read_or_refuse(text)


@pytest.mark.parametrize(
    "text",
    [
        "h[t] = " + "(" * 50_000,
        "h[t] = " + "-" * 20_000 + "x[t]",
        "h[t] = x[t]" + "ᵀ" * 10_000,
        "h[t] = " + "W " * 4_000 + "x[t]",
        "a[t] = x[t]\n" + "h[t] = a[t]\n" * 1_000,
        "\n".join(f"a{i}[t] = [a{i - 1}[t], a{i - 1}[t]]" for i in range(1, 200)),
        "\n".join(f"a{i}[t] = a{i + 1}[t-1]" for i in range(400)) + "\na400[t] = x[t]",
        "#" * 90_000,
        "h[t] = x[t] " + "# " * 40_000,
        "\n" * 90_000,
    ],
    ids=lambda text: text[:30].replace("\n", "|"),
)
def test_texts_made_to_hurt_are_answered(text):
    _read_or_refuse(text)
