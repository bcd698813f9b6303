"""Building ONNX graphs node by node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper

from latency_tables.runtimes.onnx_export import OPSET, OUTPUT_NAME

IR_VERSION = 8
"""The oldest format that carries opset 17, so that older runtimes load it."""

Array = npt.NDArray[np.float32] | npt.NDArray[np.int64]


@dataclass
class GraphBuilder:
    """Nodes and constants of a graph with one thread of data through it."""

    inputs: list[tuple[str, tuple[int, ...]]]
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def constant(self, values: Array) -> str:
        """Add a constant; returns its name."""
        name = f"constant{len(self.constants)}"
        kind = TensorProto.INT64 if values.dtype == np.int64 else TensorProto.FLOAT
        self.constants.append(
            helper.make_tensor(name, kind, values.shape, values.tobytes(), raw=True)
        )
        return name

    def weights(self, *shape: int) -> str:
        """Add random weights of a size that keeps activations in range; returns their name."""
        values = self.rng.standard_normal(shape, dtype=np.float32)
        return self.constant(values * np.float32(np.prod(shape[1:]) ** -0.5))

    def scalar(self, value: float) -> str:
        """Add a number; returns its name."""
        return self.constant(np.array(value, dtype=np.float32))

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Append a node; returns the name of its output."""
        name = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def model(self) -> bytes:
        """The finished model, whose output is the last node's."""
        self.nodes[-1].output[0] = OUTPUT_NAME
        graph = helper.make_graph(
            self.nodes,
            "operator",
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in self.inputs
            ],
            [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, None)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        serialised: bytes = model.SerializeToString()
        return serialised
