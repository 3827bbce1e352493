"""Gradients of sample cells: by central differences, and by derived systems as written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from cellwise.autodiff.derivative import Derivative
from cellwise.graph.system import System
from tests.evaluate import Array, Feed, Trace, evaluate

Gradients = dict[str, Array]
"""By name: of inputs and parameters, and `name[0]` of initial states that are not learned."""

STEP = 1e-6


def places(feed: Feed) -> dict[str, Array]:
    """All arrays of a feed, by the names of `Gradients`."""
    edges = {f"{name}[0]": array for name, array in feed.edges.items()}
    return {**feed.signals, **edges, **feed.parameters}


def moved(feed: Feed, by: Mapping[str, Array], factor: float) -> Feed:
    """The feed with `factor` times the direction `by` added."""

    def shifted(arrays: Mapping[str, Array], mark: str = "") -> dict[str, Array]:
        return {n: a + factor * by[n + mark] if n + mark in by else a for n, a in arrays.items()}

    return replace(
        feed,
        signals=shifted(feed.signals),
        edges=shifted(feed.edges, "[0]"),
        parameters=shifted(feed.parameters),
    )


def central(function: Callable[[Feed], float], feed: Feed) -> Gradients:
    """Central differences of a number, element by element."""
    found: Gradients = {}
    for name, array in places(feed).items():
        gradient = np.zeros(array.shape)
        for position in np.ndindex(*array.shape):
            unit = np.zeros(array.shape)
            unit[position] = 1
            above, below = (function(moved(feed, {name: unit}, s * STEP)) for s in (1, -1))
            gradient[position] = (above - below) / (2 * STEP)
        found[name] = gradient
    return found


def sweep_back(
    primal: System, derived: Derivative, feed: Feed, weights: Array, edges: Mapping[str, Array]
) -> Gradients:
    """The gradients that a backward system gives, evaluated as written."""
    forward = evaluate(primal, feed)
    back = evaluate(derived.system, back_feed(primal, derived, feed, forward, weights, edges))
    return gradients_of(primal, derived, feed, back, edges)


def gradients_of(
    primal: System, derived: Derivative, feed: Feed, back: Trace, edges: Mapping[str, Array]
) -> Gradients:
    """The gradients among the values of a backward system."""
    found = {name: back.signals[derived.names[name]] for name in primal.inputs}
    found |= {name: back.totals[derived.names[name]] for name in primal.parameters}
    for name in feed.edges:
        first = back.signals[derived.previous[name]][:1]
        found[f"{name}[0]"] = first[0] if len(first) else np.asarray(edges[name])
    return found


def back_feed(
    primal: System,
    derived: Derivative,
    feed: Feed,
    forward: Trace,
    weights: Array,
    edges: Mapping[str, Array],
) -> Feed:
    """What a backward system reads: the forward's values, and the cotangents from outside."""
    return Feed(
        feed.steps,
        {**{name: forward.signals[name] for name in derived.system.given}, derived.out: weights},
        {
            **_learned(primal, feed),
            **feed.edges,
            **{derived.previous[name]: edges[name] for name in edges},
        },
        feed.parameters,
        feed.constants,
        feed.sizes,
    )


def tangent_feed(
    primal: System, derived: Derivative, feed: Feed, forward: Trace, by: Mapping[str, Array]
) -> Feed:
    """What a tangent system reads: the values of its primal, and the direction."""
    names, given = derived.names, derived.system.given
    values = {name: forward.signals[name] for name in given if name in forward.signals}
    moving = [*feed.signals, *feed.parameters]
    dots = {n: by.get(n, np.zeros(places(feed)[n].shape)) for n in moving}
    edges = {n: by.get(f"{n}[0]", np.zeros(array.shape)) for n, array in feed.edges.items()}
    return Feed(
        feed.steps,
        {**values, **{names[n]: dots[n] for n in feed.signals}},
        {**_learned(primal, feed), **feed.edges, **{names[n]: edges[n] for n in feed.edges}},
        {**feed.parameters, **{names[n]: dots[n] for n in feed.parameters}},
        feed.constants,
        feed.sizes,
    )


def _learned(primal: System, feed: Feed) -> dict[str, Array]:
    return {state: feed.parameters[str(node.attributes[0])] for state, node in primal.initial}
