"""`Recursive`: arguments, shapes, stacks, and what it says of mistakes."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch

import cellwise as cw
from cellwise.errors import ConfigError, EquationError, ShapeError, StructureError
from cellwise.structures.nodes import ordered

SUM = "h[n] = tanh(U @ x[n] + W @ sum(h[k] for k in n) + b)"
PAIR = "h[n] = tanh(U @ x[n] + A @ h[left] + B @ h[right])"
DOWN = "h[n] = tanh(U @ x[n] + W @ h[parent])"
LABELLED = "h[n] = tanh(U @ x[n] + sum(W[r] @ h[k] for k in n))"

TREE = cw.Forest.from_children([[[1, 2], [], [3, 4], [], []]])
STAR = cw.Forest.from_children([[[1, 2, 3], [], [], []]])
DIAMOND = cw.Forest.from_edges(4, [(0, 1), (0, 2), (1, 3), (2, 3)])


def test_shapes_and_state_names() -> None:
    layer = cw.Recursive("tree_lstm", 3, 5)
    forest = cw.Forest.concat([TREE, STAR])
    y, state = layer(torch.randn(9, 3), forest)
    assert y.shape == (9, 5)
    assert state._fields == ("h", "c")
    assert state.h.shape == state.c.shape == (2, 5)
    torch.testing.assert_close(state.h, y[[0, 5]], rtol=0, atol=0)


def test_states_of_a_layer_that_runs_down_are_at_the_leaves() -> None:
    y, state = cw.Recursive(SUM, 3, 5, direction="down")(torch.randn(5, 3), TREE)
    torch.testing.assert_close(state.h, y[[1, 3, 4]], rtol=0, atol=0)
    y, state = cw.Recursive(DOWN, 3, 5)(torch.randn(5, 3), TREE)
    torch.testing.assert_close(state.h, y[[1, 3, 4]], rtol=0, atol=0)


def test_parameters_are_named_as_in_the_equations() -> None:
    layer = cw.Recursive(LABELLED, 3, 5, n_relations=4, direction=("up", "down"))
    shapes = {name: tuple(p.shape) for name, p in layer.named_parameters()}
    assert shapes == {
        "layer0.U": (5, 3),
        "layer0.W": (4, 5, 5),
        "layer1.U": (5, 5),
        "layer1.W": (4, 5, 5),
    }


def test_dropout_lies_between_layers_while_training() -> None:
    x = torch.randn(5, 3)
    layer = cw.Recursive(SUM, 3, 50, direction=("up", "down"), dropout=0.5)
    assert not torch.equal(layer(x, TREE)[0], layer(x, TREE)[0])
    layer.eval()
    assert torch.equal(layer(x, TREE)[0], layer(x, TREE)[0])
    alone = cw.Recursive(SUM, 3, 50, dropout=0.5)
    assert torch.equal(alone(x, TREE)[0], alone(x, TREE)[0])


def test_a_seed_decides_the_start() -> None:
    layers = []
    for _ in range(2):
        torch.manual_seed(1)
        layers.append(cw.Recursive("dependency", 3, 4, n_relations=2))
    for one, other in zip(*(layer.parameters() for layer in layers), strict=True):
        assert torch.equal(one, other)
    layers[0].reset_parameters()
    assert not torch.equal(layers[0].get_parameter("layer0.W"), layers[1].get_parameter("layer0.W"))


def test_it_prints_what_it_is() -> None:
    layer = cw.Recursive("dependency", 3, 4, n_relations=2, direction=("up", "down"))
    text = "Recursive(\n  'dependency', 3, 4, direction=('up', 'down'), n_relations=2\n"
    assert repr(layer).startswith(text)


def test_constants_and_sizes() -> None:
    text = "m[n] = V @ x[n]\nh[n] = alpha * tanh(U @ m[n] + sum(h[k] for k in n))\nalpha = 0.5"
    layer = cw.Recursive(text, 3, 4, sizes={"m": 7}, constants={"alpha": 0.0})
    assert layer.get_parameter("layer0.V").shape == (7, 3)
    assert not layer(torch.randn(5, 3), TREE)[0].any()


def test_autocast_leaves_the_precision_of_the_parameters() -> None:
    layer = cw.Recursive(SUM, 3, 4)
    x = torch.randn(5, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, _ = layer(x.bfloat16(), TREE)
    assert y.dtype == torch.float32


def test_the_reference_serves_what_was_asked_of_it() -> None:
    served = cw.Recursive(SUM, 3, 4, backend="reference").backend_report()["forward"]
    assert (served.backend, served.why) == ("reference", "backend='reference' was asked for")


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        (
            ("lstm", 3, 4),
            {},
            StructureError,
            "the cell 'lstm' is over sequences, but Recursive folds trees",
        ),
        (
            ("tree_lstn", 3, 4),
            {},
            ConfigError,
            "there is no cell named 'tree_lstn'. Did you mean 'tree_lstm'?",
        ),
        ((SUM, 0, 4), {}, ConfigError, "input_size must be a whole number of at least 1, not 0"),
        (
            (SUM, 3, 4),
            {"n_relations": 2.5},
            ConfigError,
            "n_relations must be a whole number of at least 1, not 2.5",
        ),
        (
            (SUM, 3, 4),
            {"direction": None},
            ConfigError,
            "direction must be 'up' or 'down', not None",
        ),
        (
            (SUM, 3, 4.0),
            {},
            ConfigError,
            "hidden_size must be a whole number of at least 1, not 4.0",
        ),
        (
            (SUM, 3, 4),
            {"direction": "both"},
            ConfigError,
            "direction must be 'up' or 'down', not 'both'",
        ),
        (
            ("tree_lstm_binary", 3, 4),
            {"direction": ("up", "down")},
            ConfigError,
            "the cell 'tree_lstm_binary' reads [left], but direction='down' has no slots: a node "
            "reads its parent, as one of a set. Turn the forest instead: forest.reversed() keeps "
            "slots",
        ),
        (
            (SUM, 3, 4),
            {"direction": ()},
            ConfigError,
            "direction must name at least one layer's, 'up' or 'down'",
        ),
        (
            (SUM, 3, 4),
            {"dropout": 1.0},
            ConfigError,
            "dropout must be at least 0 and below 1, not 1.0",
        ),
        (
            (SUM, 3, 4),
            {"backend": "gpu"},
            ConfigError,
            "unknown back end 'gpu'. Did you mean 'cpu'?",
        ),
        (
            ("dependency", 3, 4),
            {},
            ConfigError,
            "the cell 'dependency' chooses a parameter by the label of an edge, so n_relations "
            "must be at least 1",
        ),
        (
            ("h[n] = tanh(W @ sum(h[k] for k in n) + b)", 3, 4),
            {},
            EquationError,
            "the cell 'cell' reads no input\n  Read one, such as x[n], in some line.",
        ),
        (
            ("h[n] = U @ x[n] + V @ z[n] + sum(h[k] for k in n)", 3, 4),
            {},
            EquationError,
            "line 1, column 23: nobody feeds 'z': a layer feeds one input, 'x'\n"
            "    h[n] = U @ x[n] + V @ z[n] + sum(h[k] for k in n)\n"
            "                          ^^^^\n"
            "  Define z[n] in a line, or join it to x[n] outside.",
        ),
        (
            ("h[n] = tanh(U @ x[n] + W @ h[parent] + V @ h[left])", 3, 4),
            {},
            StructureError,
            "a cell runs up a tree or down, but this one reads h[parent] and has h[left]",
        ),
        (
            ("h[leaf] = U @ x[leaf]\nh[n] = tanh(W @ h[parent])", 3, 4),
            {},
            StructureError,
            "a cell runs up a tree or down, but this one reads h[parent] and has h[leaf]",
        ),
        (
            (
                "h[leaf] = x[leaf]\nc[n] = sum(h[k] for k in n)\nh[n] = sum(c[k] for k in n)",
                4,
                4,
            ),
            {},
            StructureError,
            "'c' is read at [k], but no line says what c[leaf] is",
        ),
    ],
)
def test_a_wrong_argument_is_said(
    arguments: tuple[Any, ...], options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        cw.Recursive(*arguments, **options)
    assert str(caught.value).removeprefix(f"{kind.__name__}: ") == message


def test_leaves_that_are_the_input_are_as_long_as_the_output() -> None:
    with pytest.raises(
        ShapeError, match=r"(hidden_size=4|input_size=3), but the equations make it"
    ):
        cw.Recursive("recursive", 3, 4)


@pytest.mark.parametrize(
    ("text", "x", "forest", "kind", "message"),
    [
        (SUM, [[0.0]], TREE, ShapeError, "x must be a tensor, but is a list"),
        (SUM, torch.zeros(4, 3), TREE, ShapeError, "x must have shape [5, 3], but has [4, 3]"),
        (SUM, torch.zeros(5, 2), TREE, ShapeError, "x must have shape [5, 3], but has [5, 2]"),
        (
            SUM,
            torch.zeros(1, 5, 3),
            TREE,
            ShapeError,
            "x must have shape [5, 3], but has [1, 5, 3]",
        ),
        (
            SUM,
            torch.zeros(5, 3, dtype=torch.int64),
            TREE,
            ShapeError,
            "x must hold floating-point numbers, but is torch.int64",
        ),
        (
            SUM,
            torch.zeros(5, 3, dtype=torch.float64),
            TREE,
            ShapeError,
            "x is torch.float64, but the layer's parameters are torch.float32",
        ),
        (
            SUM,
            torch.zeros(5, 3),
            [[-1, 0]],
            StructureError,
            "forest must be a cw.Forest, not list",
        ),
        (
            "h[leaf] = U @ x[leaf]\nh[n] = tanh(W @ sum(h[k] for k in n))",
            torch.zeros(4, 3),
            TREE,
            ShapeError,
            "x must have shape [5, 3] or [3, 3], but has [4, 3]",
        ),
        (
            PAIR,
            torch.zeros(5, 3),
            TREE,
            StructureError,
            "the cell 'cell' reads [left], but the forest's slots are none: forest.binary() gives "
            "trees left and right children",
        ),
        (
            PAIR,
            torch.zeros(4, 3),
            cw.Forest.grid([(2, 2)]),
            StructureError,
            "the cell 'cell' reads [right], but the forest's slots are left and up",
        ),
        (
            "h[n] = tanh(U @ x[n] + W @ h[up])",
            torch.zeros(5, 3),
            TREE,
            StructureError,
            "the cell 'cell' reads [up], but the forest's slots are none",
        ),
        (
            LABELLED,
            torch.zeros(5, 3),
            TREE,
            StructureError,
            "the cell 'cell' chooses a parameter by the label of an edge, but the forest has no "
            "relations",
        ),
        (
            LABELLED,
            torch.zeros(2, 3),
            cw.Forest.from_parents([[-1, 0]], relations=[[0, 1]], relation_names=5),
            StructureError,
            "the forest has 5 relations, but the layer n_relations=2",
        ),
        (
            DOWN,
            torch.zeros(4, 3),
            DIAMOND,
            StructureError,
            "the cell 'cell' reads [parent], but a node of the forest has several",
        ),
    ],
)
def test_a_wrong_call_is_said(
    text: str, x: torch.Tensor, forest: Any, kind: type[Exception], message: str
) -> None:
    layer = cw.Recursive(text, 3, 4, n_relations=2)
    with pytest.raises(kind) as caught:
        layer(x, forest)
    assert str(caught.value).removeprefix(f"{kind.__name__}: ") == message


def test_a_parameter_cannot_have_a_name_of_the_module() -> None:
    with pytest.raises(EquationError) as caught:
        cw.Recursive("h[n] = tanh(U @ x[n] + forward * sum(h[k] for k in n))", 3, 4)
    assert "a parameter of a layer cannot be called 'forward'" in str(caught.value)


def test_shapes_come_without_numbers():
    layer = cw.Recursive(SUM, 3, 4, device="meta")
    assert layer(torch.zeros(5, 3, device="meta"), TREE)[0].shape == (5, 4)


def test_what_reads_its_parent_runs_down_by_itself() -> None:
    with pytest.raises(ConfigError) as error:
        cw.Recursive(DOWN, 3, 5, direction="down")
    assert "runs from the roots down already: leave direction out" in str(error.value)


def test_the_number_of_relations_is_one() -> None:
    with pytest.raises(ConfigError, match="n_relations must be a whole number"):
        cw.Recursive(LABELLED, 3, 5, n_relations=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("cell", [SUM, "tree_lstm_binary", LABELLED])
def test_a_forest_goes_with_its_last_user(cell: str) -> None:
    """Not with the next search for circles, which does not see how large arrays are."""
    layer = cw.Recursive(cell, 3, 3, n_relations=1)
    forest = cw.Forest.from_parents([[-1, 0, 0]], relations=[[0, 0, 0]]).binary()
    nodes = weakref.ref(ordered(forest, leaf=bool(layer.cell.system.leaf), down=False).nodes)
    n_rows = 2 if cell == "tree_lstm_binary" else 3
    layer(torch.randn(n_rows, 3), forest)[0].sum().backward()
    gc.disable()
    try:
        del forest
        assert nodes() is None
    finally:
        gc.enable()
