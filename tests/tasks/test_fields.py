from __future__ import annotations

from cellwise.tasks import TASKS
from cellwise.tasks.fields import NOISE


def test_every_kind_of_noise_is_a_field_of_some_task():
    fields = {name for task in TASKS.values() for name in task.Model.model_fields}
    assert fields.issuperset(NOISE)


def test_no_dropout_is_forgotten():
    fields = {name for task in TASKS.values() for name in task.Model.model_fields}
    assert {name for name in fields if "dropout" in name} <= set(NOISE)
