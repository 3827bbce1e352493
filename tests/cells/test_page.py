"""docs/cells.md is what docs/build_cells.py writes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parents[2] / "docs"


def _builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_cells", DOCS / "build_cells.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_in_step():
    written = (DOCS / "cells.md").read_text(encoding="utf-8")
    assert written == _builder().page(), "run `python docs/build_cells.py`"
