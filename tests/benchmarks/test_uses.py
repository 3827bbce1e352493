from __future__ import annotations

import pytest

from benchmarks.uses import HEAD, USES, Steps, measure, table_row
from cellwise.training.config import load_config

TEXTS = "".join(f"{word} {i}\t{label}\n" for word, label in ("ax", "by") for i in range(8))


def test_both_sides_take_the_same_steps(tmp_path):
    (tmp_path / "few.tsv").write_text(f"text\tlabel\n{TEXTS}", encoding="utf-8")
    settings = [f"data.{part}={tmp_path}/few.tsv" for part in ("train", "dev")]
    settings += ["training.batch_size=2", "training.device=cpu"]
    settings += ["model.hidden_size=8", "model.embedding_size=4"]
    ours, theirs = measure(load_config("classify", settings), rounds=3, steps=2)
    assert len(ours.seconds) == len(theirs.seconds) == 3
    assert len(ours.losses) == 6
    assert ours.losses == pytest.approx(theirs.losses, rel=1e-4)


def test_a_row_holds_medians_and_the_ratio_of_rounds():
    ours, theirs = Steps([0.01, 0.02, 0.03], [1.0, 1.0]), Steps([0.02, 0.02, 0.09], [1.0, 1.01])
    row = table_row("words", "language_model", ours, theirs)
    assert row == ("words", "language_model", "20.0", "20.0", "2.00 (1.00–3.00)", "0.50 %")
    assert len(row) == len(HEAD)


def test_every_use_has_a_row():
    assert {"english", "questions", "words", "pronounce", "translate", "describe"} < set(USES)
