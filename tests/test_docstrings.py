"""Every public class, function and method says what it is; an inherited docstring counts."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import cellwise

MODULES = sorted(info.name for info in pkgutil.walk_packages(cellwise.__path__, "cellwise."))


def test_public_names_are_described():
    undescribed = []
    for name in MODULES:
        for key, value in vars(importlib.import_module(name)).items():
            if not key.startswith("_") and getattr(value, "__module__", "") == name:
                undescribed += [f"{name}.{place}" for place in _undescribed(key, value)]
    assert not undescribed


def _undescribed(key: str, value: object) -> list[str]:
    missing = [] if inspect.getdoc(value) else [key]
    if inspect.isclass(value):
        methods = [name for name, method in vars(value).items() if _is_public(name, method)]
        missing += [f"{key}.{name}" for name in methods if not inspect.getdoc(getattr(value, name))]
    return missing


def _is_public(name: str, method: object) -> bool:
    is_method = inspect.isroutine(method) or isinstance(method, property)
    return is_method and not name.startswith("_")
