"""The cases of one seed: a back end against the reference, output, last states and gradients.

What is drawn and how it is judged stands in tests/laws/agreement.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.laws.agreement import Group, MismatchError, groups, judge, served_texts, zoo_texts
from tests.laws.generate import chain_texts

CASES = 100
"""Cases a seed."""
BATCHES = 10
"""Cases that share a cell and its sizes, so that it is compiled once for them."""
TEXTS = st.one_of(served_texts(), served_texts(), served_texts(), zoo_texts(), chain_texts())


@dataclass(frozen=True)
class Tally:
    """What became of cases.

    Attributes:
        agreed: as many are the same within the tolerance.
        refused: as many the back end does not serve.
        delicate: as many are the same but for what rounding does.
        mismatch: the first that differs, as Python, and how; or that fails, and the error.
    """

    agreed: int = 0
    refused: int = 0
    delicate: int = 0
    mismatch: str = ""

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.agreed + other.agreed,
            self.refused + other.refused,
            self.delicate + other.delicate,
            self.mismatch or other.mismatch,
        )

    def __str__(self) -> str:
        counts = f"{self.agreed:,} agree, {self.refused:,} refused, {self.delicate:,} delicate"
        return f"{counts}, {1 if self.mismatch else 0} mismatch"


def run_seed(seed: int, backend: str, cases: int = CASES) -> Tally:
    """Judge a back end on the cases of a seed.

    A mismatch ends it, made as small as it gets; so does an error of the back end's.

    Args:
        seed: what the cases are drawn from.
        backend: the one to judge.
        cases: how many, a multiple of `BATCHES`.
    """
    counts = Counter[str]()
    last = ""

    @seeded(seed)
    @settings(
        max_examples=cases // BATCHES,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(group=groups(TEXTS, BATCHES))
    def judge_all(group: Group) -> None:
        nonlocal last
        for batch in group.batches:
            try:
                counts[judge(group, batch, backend)] += 1
            except Exception as error:
                own = isinstance(error, MismatchError)
                case = replace(group, batches=(batch,))
                last = str(error) if own else f"{case}\n{type(error).__name__}: {error}"
                last += f"  # seed {seed}"
                raise

    try:
        judge_all()
    except Exception:
        if not last:
            raise
        return Tally(counts["agreed"], counts["refused"], counts["delicate"], last)
    return Tally(counts["agreed"], counts["refused"], counts["delicate"])
