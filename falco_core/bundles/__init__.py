"""Model bundles: a folder with bundle.yaml and one safetensors file per network."""

from falco_core.bundles.bundle import Bundle, BundleEntry, list_bundles, load_bundle, load_spec
from falco_core.bundles.save import save_bundle
from falco_core.bundles.spec import BundleSpec
from falco_core.bundles.tiny import make_random_bundle

__all__ = [
    "Bundle",
    "BundleEntry",
    "BundleSpec",
    "list_bundles",
    "load_bundle",
    "load_spec",
    "make_random_bundle",
    "save_bundle",
]
