"""Whether a bundle is whole and works: digests, keys and shapes, numbers, and one picture through all networks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from falco_core.bundles.bundle import Bundle, load_bundle, load_network
from falco_core.bundles.catalogue import bundle_folder, check_file, load_spec
from falco_core.errors import BundleError


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    subject: str
    ok: bool
    detail: str


def verify_bundle(name_or_folder: str | Path) -> Iterator[Check]:
    """A check per network, then, if all are well, one of them together; raises BundleError without a bundle.yaml."""
    spec = load_spec(name_or_folder)
    folder = bundle_folder(name_or_folder)
    well = True
    for name, network in spec.networks.present().items():
        try:
            check_file(folder / network.file, network.sha256)
            module = load_network(name, network, folder)
        except BundleError as error:
            well = False
            yield Check(name, False, str(error))
            continue
        count = sum(weight.numel() for weight in module.parameters())
        yield Check(name, True, f"{count / 1e6:.1f} M weights, sha256 {network.sha256[:12]}…")
    if well:
        yield _together(load_bundle(name_or_folder))


@torch.inference_mode()
def _together(bundle: Bundle) -> Check:
    """The mean face through every network."""
    generator = bundle.generator
    image = generator.synthesize(generator.broadcast(generator.w_mean[None]))
    codes = bundle.encoder(image)
    embeddings = {"heldout": bundle.heldout(image), **bundle.features(image)}
    if not (image.isfinite().all() and codes.isfinite().all()):
        return Check("together", False, "generator or encoder gives numbers that are not finite")
    for name, embedding in embeddings.items():
        if not torch.allclose(embedding.norm(dim=1), torch.ones(1), atol=1e-3):
            return Check("together", False, f"{name} gives no unit vector")
    return Check("together", True, f"the mean face passes through every network at {bundle.spec.resolution} px")
