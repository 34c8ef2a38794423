"""An ONNX model whose products with weights are products of bytes.

A row is rounded to 127 steps on either side of 0, up to its largest absolute value, a weight
likewise to that of its column. So no row depends on another, whatever the order of axes, and images
can be computed in batches. (ONNX Runtime's own dynamic quantisation has one range for all that is
multiplied at once.)

Beside the products, passes over rows are what takes time. So rounding divides as it goes, by a step
for each row of a matrix, and the largest value is found by maximum and minimum, without a pass that
writes absolute values.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = {8: 127, 7: 64}
"""Steps of a weight on either side of 0, by its bits. 255 x 64 twice is still in 16 bits."""
TINY = 1e-30
"""Added to the largest value of a row of zeros."""
DOMAIN = "com.microsoft"


def with_byte_products(model: Any, bits: int) -> Any:
    """A model of operator set 17 whose MatMul and Gemm with weights are replaced.

    `bits` are those of the weights.
    """
    from onnx import helper

    graph = model.graph
    arrays = {one.name: one for one in graph.initializer}
    rewritten = _Rewritten()
    for node in graph.node:
        weights = _weights(node, arrays)
        if weights is None:
            rewritten.nodes.append(node)
        else:
            rewritten.multiply(node, weights, STEPS[bits])
    used = {name for node in rewritten.nodes for name in node.input}
    kept = [one for one in graph.initializer if one.name in used]
    changed = helper.make_graph(
        rewritten.nodes, graph.name, graph.input, graph.output, [*kept, *rewritten.made.values()]
    )
    domains = [*model.opset_import, helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(changed, opset_imports=domains, ir_version=model.ir_version)


class _Rewritten:
    """Nodes of a graph, and the constants that they need."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.made: dict[str, Any] = {}
        self._rounded: dict[str, tuple[str, str, str]] = {}
        self.middle = self._keep("byte_middle", np.array(128, np.uint8))
        self.one, self.tiny = (self._keep(f"byte_{x}", np.array(x, np.float32)) for x in (1, TINY))
        self.share = self._keep("byte_share", np.array(1 / 127, np.float32))
        self.first, self.last = (self._keep(f"byte_axis_{n}", np.array([n])) for n in (0, -1))

    def multiply(self, node: Any, weights: NDArray[np.float32], steps: int) -> None:
        """A product with weights `[k, n]` that are rounded to `steps` on either side of 0."""
        scales = np.abs(weights).max(axis=0).clip(TINY) / steps
        end, weight = node.output[0], node.input[1]
        columns = self._keep(f"{weight}_bytes", np.rint(weights / scales).astype(np.int8))
        scaled = self._keep(f"{weight}_scales", scales.astype(np.float32))
        rows, steps_of_rows, axes = self._round_rows(node.input[0], len(weights))
        product = [rows, columns, self.one, scaled, self.middle]
        counts = self._add("MatMulIntegerToFloat", product, f"{end}_counts", domain=DOMAIN)
        matrix = self._add("Mul", [counts, steps_of_rows], f"{end}_matrix")
        wide = self._keep(f"byte_columns_{len(scales)}", np.array([len(scales)]))
        shape = self._add("Concat", [axes, wide], f"{end}_shape", axis=0)
        biased = len(node.input) > 2
        found = self._add("Reshape", [matrix, shape], f"{end}_product" if biased else end)
        if biased:
            self._add("Add", [found, node.input[2]], end)

    def _round_rows(self, x: str, width: int) -> tuple[str, str, str]:
        """The bytes of a tensor as a matrix, the step of each row, and all axes but the last."""
        if x not in self._rounded:
            add = self._add
            flat = self._keep(f"byte_rows_{width}", np.array([-1, width]))
            rows = add("Reshape", [x, flat], f"{x}_rows")
            high = add("ReduceMax", [rows], f"{x}_high", axes=[-1], keepdims=0)
            low = add("ReduceMin", [rows], f"{x}_low", axes=[-1], keepdims=0)
            most = add("Max", [high, add("Neg", [low], f"{x}_negated"), self.tiny], f"{x}_most")
            step = add("Mul", [most, self.share], f"{x}_step")
            zeros = add("Expand", [self.middle, add("Shape", [step], f"{x}_count")], f"{x}_zeros")
            found = add("QuantizeLinear", [rows, step, zeros], f"{x}_bytes", axis=0)
            column = add("Unsqueeze", [step, self.last], f"{x}_steps")
            shape = add("Shape", [x], f"{x}_shape")
            axes = add("Slice", [shape, self.first, self.last], f"{x}_axes")
            self._rounded[x] = found, column, axes
        return self._rounded[x]

    def _keep(self, name: str, array: NDArray[Any]) -> str:
        from onnx import numpy_helper

        if name not in self.made:
            self.made[name] = numpy_helper.from_array(array, name)
        return name

    def _add(self, kind: str, inputs: list[str], name: str, **settings: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [name], **settings))
        return name


def _weights(node: Any, arrays: dict[str, Any]) -> NDArray[np.float32] | None:
    """The weights `[k, n]` of a product with weights; None for any other node."""
    from onnx import numpy_helper

    if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in arrays:
        return None
    array: NDArray[np.float32] = numpy_helper.to_array(arrays[node.input[1]])
    settings = {one.name: one for one in node.attribute}
    plain = all(settings[name].f == 1 for name in ("alpha", "beta") if name in settings)
    if array.ndim != 2 or not plain or ("transA" in settings and settings["transA"].i):
        return None
    return array.T if "transB" in settings and settings["transB"].i else array
