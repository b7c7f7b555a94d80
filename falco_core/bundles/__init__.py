"""Model bundles: a folder with bundle.yaml and one safetensors file per network.

Here is what is light to import; `bundles.bundle` loads networks, `bundles.save` writes bundles.
"""

from falco_core.bundles.catalogue import BundleEntry, bundle_folder, list_bundles, load_spec
from falco_core.bundles.spec import BundleSpec

__all__ = ["BundleEntry", "BundleSpec", "bundle_folder", "list_bundles", "load_spec"]
