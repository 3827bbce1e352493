"""The zoo's cells once more, in plain torch and from the papers.

Every formula of a cell over chains is a step: `step(x, s, p)` gets the input [B, I], the states
before the step and the parameters by their names in our equations, and gives the signals after it,
the output and all states among them. Those over trees are in `formulas.trees`.
"""

from tests.cells.formulas import gated, linear, lstm, oscillator, simple
from tests.cells.formulas.fold import Step, run

FORMULAS: dict[str, Step] = {
    **simple.STEPS,
    **lstm.STEPS,
    **gated.STEPS,
    **linear.STEPS,
    **oscillator.STEPS,
}

__all__ = ["FORMULAS", "Step", "run"]
