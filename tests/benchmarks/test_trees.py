from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
import typer
from typer.testing import CliRunner

from benchmarks import trees, trees_large
from benchmarks.trees_dgl import WithDGL, imported
from benchmarks.trees_epoch import PARTS, Epoch, table
from benchmarks.trees_peers import Diagonals, DoubleLoop, LevelByLevel, NodeByNode
from benchmarks.trees_workload import (
    TreeWorkload,
    distance,
    ours,
    peer_call,
    random_lists,
    recursion,
)
from cellwise.bench.contenders import TorchCall
from cellwise.errors import BackendError
from cellwise.structures.forest import Forest
from tests.tolerances import TOLERANCE

TREES = TreeWorkload(
    "trees",
    "tree_lstm_binary",
    Forest.from_children(random_lists(3, 9)).binary(),
    input_size=3,
    hidden_size=4,
    backend="reference",
)
GRID = replace(TREES, title="grid", cell="mdlstm", forest=Forest.grid([(3, 4)] * 2))
EXACT = TOLERANCE[torch.float64]["grad"]["rtol"]

PEERS = [(TREES, NodeByNode), (TREES, LevelByLevel), (GRID, DoubleLoop), (GRID, Diagonals)]
TREEBANK = "(3 (2 It) (4 (2 's) (4 good)))\n(1 (1 bad) (2 film))\n(2 fine)\n"


def has_dgl() -> bool:
    try:
        imported()
    except BackendError:
        return False
    return True


def test_random_trees_are_binary_and_have_as_many_inner_nodes_as_asked():
    forest = Forest.from_children(random_lists(25, 464)).binary()
    assert forest.n_trees == 25
    assert forest.n_nodes - len(forest.leaves) == 464
    assert forest == Forest.from_children(random_lists(25, 464)).binary()


def test_operations_of_leaves_and_inner_nodes_are_counted():
    n_leaves = len(TREES.forest.leaves)
    inner, leaf = 2 * 10 * 4 * 4 * 9, 2 * 3 * 3 * 4 * n_leaves
    assert TREES.gflop() == pytest.approx(3 * (inner + leaf) / 1e9)
    assert replace(GRID, mode="forward").gflop() == pytest.approx(24 * 2 * 5 * 4 * (3 + 8) / 1e9)


@pytest.mark.parametrize(("workload", "peer"), PEERS)
def test_peers_compute_what_we_do(workload, peer):
    layer = workload.layer()
    assert recursion(layer).cell.name == workload.cell
    assert distance(workload, peer(layer, workload.forest)) < EXACT


@pytest.mark.skipif(not has_dgl(), reason="DGL is not installed")
def test_dgl_computes_what_we_do():
    assert distance(TREES, WithDGL(TREES.layer(), TREES.forest)) < EXACT


def test_a_peer_that_computes_something_else_is_found_out():
    class Wrong(NodeByNode):
        def inner_bias(self):
            return super().inner_bias() + 0.001

    with pytest.raises(BackendError, match=r"^it differs from ours by .* of the largest number$"):
        peer_call(TREES, Wrong)


def test_the_forest_may_come_anew():
    y, d_x = ours(TREES).outputs()
    same = ours(TREES, anew=True).outputs()
    assert torch.equal(y, same[0])
    assert torch.equal(d_x, same[1])


def test_who_cannot_be_had_has_a_line_that_says_why():
    def absent(*_):
        raise BackendError("not today")

    found = trees.measure(TREES, {"absent": absent, "level by level": LevelByLevel}, 2)
    assert [line.who for line in found.lines] == ["ours", "anew", "level by level", "absent"]
    *others, last = list(trees.rows(found))[:4]
    assert last[1:] == ("absent", "", "", "", "", "left out: not today")
    assert others[0][0] == "trees"
    assert all(line.milliseconds is not None for line in found.lines[:3])


def test_the_peak_comes_before_the_slowest():
    calls: dict[str, TorchCall] = {"ours": ours(TREES), "quick": ours(TREES), "slow": ours(TREES)}
    assert list(trees._in_turn(calls, 1)) == ["ours", "quick", "peak", "slow"]


@pytest.mark.parametrize("name", trees_large.CASES)
def test_large_forests_are_measured(name, monkeypatch):
    case = trees_large.CASES[name]
    small = {
        "million": random_lists(2, 5),
        "million_wide": random_lists(2, 5),
        "chains": [3, 4],
        "branching": trees_large.left_branching(5),
    }
    found = trees_large.measure(
        replace(case, hidden_size=3, prepared=lambda: small[name]), threads=1
    )
    assert found.output_bytes == found.n_nodes * 3 * 4
    assert len(trees_large.row(found)) == len(trees_large.HEAD)


def test_a_branching_tree_is_deep():
    forest = Forest.from_children(trees_large.left_branching(5))
    assert forest.n_levels == 6
    assert forest.n_nodes == 11


def test_an_epoch_has_parts(tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text(TREEBANK, encoding="utf-8")
    epoch = Epoch(path, 4, 1, embedding_size=3, batch_size=2)
    first, second = epoch.run(), epoch.run()
    assert (first.n_trees, first.n_batches, first.n_nodes) == (3, 2, 9)
    assert tuple(first.parts) == PARTS
    assert second.loss != first.loss
    assert "3 trees, I=3 H=4 B=2" in table([first, second])


@pytest.fixture
def command(monkeypatch):
    monkeypatch.setattr(trees, "tree_workloads", lambda _: [TREES])
    monkeypatch.setattr(trees, "TREE_PEERS", {"level by level": LevelByLevel})
    app = typer.Typer()
    app.command()(trees.main)
    return app


def test_all_figures_are_written(command, tmp_path):
    out, table_ = tmp_path / "found.json", tmp_path / "found.md"
    arguments = ["trees", "--rounds", "1", "--json", str(out), "--markdown", str(table_)]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    assert table_.read_text(encoding="utf-8") == result.stdout
    assert "torch, level by level" in result.stdout
    (fold,) = json.loads(out.read_text(encoding="utf-8"))["folds"]
    assert [line["who"] for line in fold["lines"]] == ["ours", "anew", "level by level"]


def test_an_interruption_keeps_what_was_measured(command, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(trees, "grid_workloads", interrupted)
    result = CliRunner().invoke(command, ["trees", "grid", "--rounds", "1"])
    assert result.exit_code != 0
    assert "torch, level by level" in result.stdout


def test_an_epoch_needs_a_treebank(command):
    result = CliRunner().invoke(command, ["epoch"])
    assert str(result.exception) == "an epoch needs --treebank FILE"
