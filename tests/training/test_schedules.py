from __future__ import annotations

from itertools import pairwise

import pytest

from cellwise.training.schedules import SHAPES, Schedule
from cellwise.training.settings import TrainingConfig


def rates(total=10, **settings):
    schedule = Schedule(TrainingConfig(learning_rate=2.0, **settings), total)
    return [schedule.rate(step) for step in range(1, total + 1)]


@pytest.mark.parametrize("name", SHAPES)
def test_warm_up_rises_evenly_to_the_full_rate(name):
    found = rates(schedule=name, warmup_steps=4)
    assert found[:4] == [0.5, 1.0, 1.5, 2.0]
    assert max(found) == 2.0


@pytest.mark.parametrize("name", SHAPES)
def test_after_the_warm_up_no_rate_rises_and_all_are_positive(name):
    found = rates(schedule=name, warmup_steps=3, total=30)[2:]
    assert all(a >= b > 0 for a, b in pairwise(found))


def test_shapes_at_known_steps():
    assert rates(schedule="constant") == [2.0] * 10
    assert rates(schedule="linear", total=4) == [2.0, 1.5, 1.0, 0.5]
    assert rates(schedule="cosine", total=4)[2] == pytest.approx(1.0)
    assert rates(schedule="inverse_sqrt", warmup_steps=1, total=16)[15] == pytest.approx(0.5)


def test_plateau_halves_when_dev_does_not_improve():
    schedule = Schedule(TrainingConfig(learning_rate=1.0, schedule="plateau"), 10)
    schedule.judged(better=True)
    assert schedule.rate(5) == 1.0
    schedule.judged(better=False)
    assert schedule.rate(6) == 0.5


def test_step_is_the_schedule_of_zaremba_and_others():
    """Their small model: rate 1, halved after each epoch from the fourth's end on."""
    config = TrainingConfig(schedule="step", learning_rate=1.0, decay=0.5, decay_after=4)
    found = [Schedule(config, 100).rate(1, epoch) for epoch in range(1, 8)]
    assert found == [1.0, 1.0, 1.0, 1.0, 0.5, 0.25, 0.125]
    others = Schedule(TrainingConfig(schedule="constant", learning_rate=1.0), 100)
    assert others.rate(1, epoch=7) == 1.0


def test_more_steps_than_planned_keep_the_rate_at_the_end():
    schedule = Schedule(TrainingConfig(schedule="linear"), 10)
    assert schedule.rate(1000) == 0.0


def test_what_plateau_came_down_to_is_nothing_to_other_schedules():
    settings = {"learning_rate": 1.0, "schedule": "constant"}
    assert Schedule(TrainingConfig(**settings), total=4, factor=0.25).rate(1) == 1
    settings["schedule"] = "plateau"
    assert Schedule(TrainingConfig(**settings), total=4, factor=0.25).rate(1) == 0.25
