"""What every test has: one thread, fixed seeds, and Hypothesis's number of examples.

`CELLWISE_EXAMPLES=10000 make laws` is the long run, on examples never tried before. The usual run
tries few and, where `CI` is set, the same each time.
"""

from __future__ import annotations

import os
import random
import sys

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

FEW_EXAMPLES = 20
LONG_RUN = "CELLWISE_EXAMPLES" in os.environ

settings.register_profile(
    "cellwise",
    max_examples=int(os.environ.get("CELLWISE_EXAMPLES", FEW_EXAMPLES)),
    deadline=None,  # no timed test
    derandomize="CI" in os.environ and not LONG_RUN,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # the machine is shared
)
settings.load_profile("cellwise")


@pytest.fixture(autouse=True)
def _same_seed_for_every_test() -> None:
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:  # tests of packages without torch do not import it
        sys.modules["torch"].manual_seed(0)
