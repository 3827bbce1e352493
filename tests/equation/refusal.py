"""What a refused text is answered with."""

from __future__ import annotations

import pytest

from cellwise.equation import read_system
from cellwise.errors import CellwiseError


def refusal(text: str) -> str:
    """The kind of error and its message; the test fails if the text is accepted."""
    with pytest.raises(CellwiseError) as caught:
        read_system(text)
    return f"{type(caught.value).__name__}: {caught.value}"
