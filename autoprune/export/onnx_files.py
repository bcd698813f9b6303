"""ONNX files: the sizes of their weights, and whether they compute what torch computes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch

from autoprune.errors import VerificationError
from latency_tables.runtimes.onnx_export import flat
from latency_tables.runtimes.onnx_sessions import bound_runner, open_session

TOLERANCE = 1e-4
"""Largest difference allowed between outputs, relative to the largest value if that is over 1."""


def read_graph(content: bytes, name: str) -> Any:
    """The graph of an ONNX file, checked against the format.

    Raises:
        VerificationError: not an ONNX file; ``name`` says which in the message.
    """
    try:
        model = onnx.load_from_string(content)
        onnx.checker.check_model(model)
    except Exception as error:
        raise VerificationError(f"{name} is not a valid ONNX file: {error}") from None
    return model.graph


def weight_channels(graph: Any) -> Counter[tuple[int, int]]:
    """(input, output) channels of the weight of every convolution and matrix product."""
    shapes = {constant.name: tuple(constant.dims) for constant in graph.initializer}
    found: Counter[tuple[int, int]] = Counter()
    for node in graph.node:
        # The exporter stores equal tensors once and hands them on through an Identity.
        if node.op_type == "Identity" and node.input[0] in shapes:
            shapes[node.output[0]] = shapes[node.input[0]]
        size = _channels(node, shapes)
        if size is not None:
            found[size] += 1
    return found


def _channels(node: Any, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, int] | None:
    weight = shapes.get(node.input[1]) if len(node.input) > 1 else None
    if weight is None or len(weight) < 2:
        return None
    attributes = {item.name: item.i for item in node.attribute}
    first, second = weight[0], weight[1]
    groups = attributes.get("group", 1)
    match node.op_type:
        case "Conv":
            return second * groups, first
        case "ConvTranspose":
            return first, second * groups
        case "Gemm":
            return (second, first) if attributes.get("transB", 0) else (first, second)
        case "MatMul":
            return weight[-2], weight[-1]
    return None


def run_onnx(content: bytes, inputs: torch.Tensor, name: str) -> Any:
    """What a network of one input puts out, by onnxruntime on one thread.

    Returns:
        A tensor, or a tuple of them where there are several outputs.

    Raises:
        VerificationError: it does not run; ``name`` says which file in the message.
    """
    with _named(name):
        session = open_session(content, threads=1)
        outputs = [torch.from_numpy(each) for each in session.run(None, _feeds(session, inputs))]
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def onnx_runner(
    content: bytes, inputs: torch.Tensor, threads: int, name: str
) -> Callable[[], None]:
    """Runs a network once per call, its input and output bound beforehand.

    Raises:
        VerificationError: it does not run; ``name`` says which file in the message.
    """
    with _named(name):
        session = open_session(content, threads)
        return bound_runner(session, _feeds(session, inputs))


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise VerificationError(f"{name} does not run in onnxruntime: {error}") from None


def _feeds(session: Any, inputs: torch.Tensor) -> dict[str, npt.NDArray[np.float32]]:
    return {session.get_inputs()[0].name: inputs.numpy(force=True)}


def difference(found: Any, expected: Any) -> float:
    """Largest difference between outputs, relative to each one's largest value if that is over 1.

    Infinite where their numbers or shapes differ or either holds a value that is not finite.

    Args:
        found, expected: tensors, or dicts, lists and tuples of them.
    """
    several, wanted = flat(found), flat(expected)
    if not wanted or len(several) != len(wanted):
        return float("inf")
    return max(_difference(*pair) for pair in zip(several, wanted, strict=True))


def _difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    if found.shape != expected.shape:
        return float("inf")
    if not (torch.isfinite(found).all() and torch.isfinite(expected).all()):
        return float("inf")
    scale = max(1.0, float(expected.abs().max()))
    return float((found - expected).abs().max()) / scale


def check_numerics(
    content: bytes, model: torch.nn.Module, inputs: Iterable[torch.Tensor], name: str
) -> None:
    """Compare an ONNX file with the network it was exported from.

    Raises:
        VerificationError: an output differs by more than :data:`TOLERANCE`.
    """
    for given in inputs:
        with torch.inference_mode():
            expected = model(given)
        apart = difference(run_onnx(content, given, name), expected)
        if not apart <= TOLERANCE:
            raise VerificationError(
                f"{name} does not compute what the network computes: outputs differ by "
                f"{apart:.2g}, {TOLERANCE:g} is allowed. The network holds an operation that the "
                "ONNX exporter translates differently; export it without that operation"
            )
