"""An ONNX model whose products with weights are products of bytes.

A row is divided by its largest absolute value and rounded to 127 steps on either side of 0, a
weight likewise by that of its column. So no row depends on another, whatever the order of axes, and
images can be computed in batches. (ONNX Runtime's own dynamic quantisation has one range for all
that is multiplied at once.)
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
    from onnx import helper, numpy_helper

    graph = model.graph
    arrays = {one.name: one for one in graph.initializer}
    nodes: list[Any] = []
    made: dict[str, Any] = {}
    rounded: dict[str, tuple[str, str]] = {}

    def keep(name: str, array: NDArray[Any]) -> str:
        made.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def add(kind: str, inputs: list[str], name: str, **settings: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [name], **settings))
        return name

    step = keep("byte_step", np.array(1 / 127, np.float32))
    middle = keep("byte_middle", np.array(128, np.uint8))
    tiny = keep("byte_tiny", np.array(TINY, np.float32))

    def round_rows(x: str) -> tuple[str, str]:
        """The bytes of a tensor, and the largest absolute value of each row."""
        if x not in rounded:
            most = add("ReduceMax", [add("Abs", [x], f"{x}_abs")], f"{x}_max", axes=[-1])
            most = add("Max", [most, tiny], f"{x}_most")
            share = add("Div", [x, most], f"{x}_share")
            rounded[x] = add("QuantizeLinear", [share, step, middle], f"{x}_bytes"), most
        return rounded[x]

    for node in graph.node:
        weights = _weights(node, arrays)
        if weights is None:
            nodes.append(node)
            continue
        scales = np.abs(weights).max(axis=0).clip(TINY) / STEPS[bits]
        end, weight = node.output[0], node.input[1]
        columns = keep(f"{weight}_bytes", np.rint(weights / scales).astype(np.int8))
        scaled = keep(f"{weight}_scales", scales.astype(np.float32))
        rows, most = round_rows(node.input[0])
        product = [rows, columns, step, scaled, middle]
        shares = add("MatMulIntegerToFloat", product, f"{end}_share", domain=DOMAIN)
        biased = len(node.input) > 2
        found = add("Mul", [shares, most], f"{end}_product" if biased else end)
        if biased:
            add("Add", [found, node.input[2]], end)
    used = {name for node in nodes for name in node.input}
    kept = [one for one in graph.initializer if one.name in used]
    changed = helper.make_graph(
        nodes, graph.name, graph.input, graph.output, [*kept, *made.values()]
    )
    domains = [*model.opset_import, helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(changed, opset_imports=domains, ir_version=model.ir_version)


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
