import pytest
import torch

from cellwise.errors import DataError
from cellwise.tasks.compose_answers import Scale
from cellwise.tasks.compose_scores import NONE, UNKNOWN, Scores

CLASSES = ("0", "1", "2", "3", "4")
POLES = Scale(CLASSES, ("0", "1"), ("3", "4"))


def scores_of(scale, probabilities, classes, roots):
    scores = Scores(scale)
    logits = torch.tensor(probabilities).log()
    scores.add(logits, torch.tensor(classes), torch.tensor(roots))
    return scores


def test_shares_known_by_hand():
    likely = [
        [0.1, 0.1, 0.1, 0.3, 0.4],  # a root of class 3: wrong, but positive
        [0.4, 0.1, 0.1, 0.1, 0.3],  # class 0: right, and negative
        [0.3, 0.1, 0.2, 0.35, 0.05],  # class 4: wrong; 0.4 each way counts as positive
        [0.1, 0.1, 0.6, 0.1, 0.1],  # class 2: right, no pole
    ]
    scores = scores_of(POLES, likely, [3, 0, 4, 2], [0, 3])
    assert scores.shares(only_root=False) == {
        "accuracy_root": 1 / 2,
        "accuracy_nodes": 2 / 4,
        "accuracy_root_binary": 1,
        "accuracy_nodes_binary": 1,
    }
    assert set(scores.shares(only_root=True)) == {"accuracy_root", "accuracy_root_binary"}


def test_unknown_classes_are_wrong_and_nodes_without_one_do_not_count():
    likely = [[0.5, 0.2, 0.1, 0.1, 0.1]] * 3
    shares = scores_of(POLES, likely, [0, UNKNOWN, NONE], [0, 1]).shares(only_root=False)
    assert shares["accuracy_root"] == shares["accuracy_nodes"] == 1 / 2
    assert shares["accuracy_nodes_binary"] == 1


def test_classes_without_poles_have_no_binary_accuracy():
    shares = scores_of(Scale(("A", "B")), [[0.9, 0.1]], [0], [0]).shares(only_root=False)
    assert shares == {"accuracy_root": 1, "accuracy_nodes": 1}


def test_batches_add_up():
    scores = Scores(Scale(("A", "B")))
    for right in ([0], [1], [1]):
        scores.add(torch.tensor([[1.0, 0.0]]), torch.tensor(right), torch.tensor([0]))
    assert scores.shares(only_root=True) == {"accuracy_root": 1 / 3}


def test_roots_without_classes_cannot_be_judged():
    with pytest.raises(DataError) as error:
        scores_of(POLES, [[0.2] * 5], [NONE], [0]).shares(only_root=True)
    assert str(error.value) == (
        "no tree has a label at its root that counts, so nothing can be judged"
    )
