from __future__ import annotations

import csv
import io

from cellwise.training.tune_trials import Row, as_csv, as_markdown, best_first, best_so_far, table

KEYS = ["model.cell", "training.learning_rate"]
ROWS = [
    Row(0, "done", {KEYS[0]: "gru", KEYS[1]: 0.0123456}, 0.5, 2, 3, 61.0),
    Row(1, "failed", {KEYS[0]: "a|b", KEYS[1]: 1.0}, reason="the loss\nbecame nan"),
    Row(2, "done", {KEYS[0]: "lstm", KEYS[1]: 0.002}, 0.75, 3, 3, 5.0),
    Row(3, "pruned", {KEYS[0]: "lstm", KEYS[1]: 0.002}, 0.9, 0, 2, 4.0),
    Row(4, "done", {KEYS[0]: "lstm", KEYS[1]: 0.002}, 0.75, 3, 3, 0.0, "as trial 2"),
]


def test_the_best_is_done_and_of_equals_the_first():
    assert [row.number for row in best_first(ROWS, "max")] == [2, 4, 0]
    assert [row.number for row in best_first(ROWS, "min")] == [0, 2, 4]


def test_the_best_so_far_rises_over_the_trials_in_order():
    assert best_so_far(ROWS[::-1], "max") == [(0, 0.5), (2, 0.75)]
    assert best_so_far(ROWS, "min") == [(0, 0.5)]


def test_the_table_in_markdown():
    found = as_markdown(table(ROWS, KEYS, "accuracy", "max"))
    assert found == (
        "| trial | accuracy | cell | learning_rate | epochs | time      | result           |\n"
        "| ----- | -------- | ---- | ------------- | ------ | --------- | ---------------- |\n"
        "| 0     | 0.5      | gru  | 0.01235       | 3      | 1 min 1 s | done             |\n"
        "| 1     |          | a\\|b | 1             | 0      | 0 s       | failed: the loss |\n"
        "| 2     | 0.75     | lstm | 0.002         | 3      | 5 s       | best             |\n"
        "| 3     | 0.9      | lstm | 0.002         | 2      | 4 s       | pruned           |\n"
        "| 4     | 0.75     | lstm | 0.002         | 3      | 0 s       | done: as trial 2 |\n"
    )


def test_keys_that_end_alike_stay_whole_in_the_table():
    keys = ["model.dropout", "decoding.dropout"]
    assert table([], keys, "loss", "min")[0][2:4] == keys


def test_keys_that_are_called_like_another_column_stay_whole():
    head = table([], ["training.epochs", "model.cell"], "loss", "min")[0]
    assert head == ["trial", "loss", "training.epochs", "cell", "epochs", "time", "result"]


def test_csv_holds_numbers_in_full():
    lines = list(csv.DictReader(io.StringIO(as_csv(ROWS, KEYS, "accuracy"))))
    assert [line["state"] for line in lines] == [row.state for row in ROWS]
    assert float(lines[0]["training.learning_rate"]) == 0.0123456
    assert lines[1]["accuracy"] == ""
    assert lines[1]["reason"] == "the loss\nbecame nan"
    assert lines[4]["reason"] == "as trial 2"
