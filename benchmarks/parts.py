"""Where a step's time goes: every layer of the generator, and the two networks of the losses, there and back.

    python -m benchmarks.parts --json benchmarks/parts.json

mini with a batch of four faces, and networks of the published sizes at 1024 px with one face; one thread, medians.
`mib` is what must be read and written at least: inputs, outputs and weights once. What is far below the machine's
product of large matrices waits for memory, or for much that is small.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.full_size import full_size_bundle
from benchmarks.solver import gflops_of_a_matrix_product
from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.parallel import one_thread


@dataclass(frozen=True)
class Part:
    """One part of a step of all faces of a batch, there and back."""

    name: str
    gflop: float
    mib: float
    seconds_there: float
    seconds_back: float
    gflop_per_second: float


def parts_of(bundle: Bundle, faces: int, repeats: int) -> list[Part]:
    """The generator's layers in their order, then FaRL and the recogniser."""
    codes = bundle.generator.broadcast(bundle.generator.map(torch.randn(faces, bundle.generator.config.z_dim)))
    first, last = bundle.spec.optimize_layers
    named = [(f"layer {number}", each) for number, each in enumerate(bundle.generator.layers)]
    named += [(f"to RGB {number}", each) for number, each in enumerate(bundle.generator.to_rgb)]
    given: dict[nn.Module, tuple[Any, ...]] = {}
    hooks = [each.register_forward_pre_hook(lambda module, inputs: given.update({module: inputs})) for _, each in named]
    with torch.no_grad():
        images = bundle.generator.synthesize(codes)
    for hook in hooks:
        hook.remove()
    found = []
    for number, (name, layer) in enumerate(named):
        x, style, *rest = given[layer]
        # The moving layers' styles ask for gradients, too.
        moving = number < len(bundle.generator.layers) and first <= number < last
        found.append(_part(f"{name}, {_size(x)}", layer, [x, style], rest, repeats, both=moving))
    found.append(_part("FaRL", bundle.farl.tokens, [images], [], repeats))
    found.append(_part("recogniser", bundle.recogniser, [images], [], repeats))
    return found


def _part(
    name: str,
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    rest: Sequence[Any],
    repeats: int,
    *,
    both: bool = False,
) -> Part:
    """`both`: every input gets a gradient, else the first one alone."""
    leaves = [each.detach().requires_grad_(both or number == 0) for number, each in enumerate(inputs)]
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    there, back, out = [], [], torch.zeros(0)
    for _ in range(repeats):
        start = time.perf_counter()
        out = function(*leaves, *rest)
        middle = time.perf_counter()
        torch.autograd.grad(out, wanted, torch.ones_like(out))
        there.append(middle - start)
        back.append(time.perf_counter() - middle)
    with FlopCounterMode(display=False) as counter:
        function(*leaves, *rest).sum().backward()
    weights = function.parameters() if isinstance(function, nn.Module) else ()
    moved = sum(each.numel() for each in (*leaves, out, *weights)) * 4 / 2**20
    gflop = counter.get_total_flops() / 1e9
    return Part(
        name=name,
        gflop=round(gflop, 3),
        mib=round(moved, 2),
        seconds_there=round(median(there), 5),
        seconds_back=round(median(back), 5),
        gflop_per_second=round(gflop / (median(there) + median(back))),
    )


def _size(x: Tensor) -> str:
    return f"{x.shape[1]} channels of {x.shape[2]} px"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.manual_seed(0)
    with one_thread():
        product = round(gflops_of_a_matrix_product())
        found = {"mini": parts_of(load_bundle("mini"), 4, 15), "full size": parts_of(full_size_bundle(), 1, 3)}
    for name, parts in found.items():
        for part in parts:
            print(name, part)
    result = {
        "command": "python -m benchmarks.parts",
        "gflops_of_a_matrix_product": product,
        "bundles": {name: [asdict(part) for part in parts] for name, parts in found.items()},
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
