"""Finding and checking bundles, without loading a network: light to import."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path
from pydantic import ValidationError

from falco_core.bundles.spec import BundleSpec
from falco_core.errors import BundleError, one_line, shown
from falco_core.strict_yaml import RefusedYaml, read_yaml

SPEC_FILE = "bundle.yaml"
SHIPPED = ("mini",)
HOME_VARIABLE = "FALCO_HOME"


@dataclass(frozen=True)
class BundleEntry:
    """A bundle that falco knows of, and whether it can be used."""

    name: str
    ready: bool
    detail: str


def load_spec(name_or_folder: str | Path) -> BundleSpec:
    """Read and check a bundle's bundle.yaml; raises BundleError."""
    path = bundle_folder(name_or_folder) / SPEC_FILE
    try:
        return BundleSpec.model_validate(read_yaml(path))
    except FileNotFoundError:
        raise BundleError(f"no bundle at {path.parent}: `falco models list` shows what there is") from None
    except RefusedYaml as error:
        raise BundleError(f"{path}: not readable as YAML: {error}") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = shown(".".join(str(part) for part in first["loc"]))
        raise BundleError(f"{path}: {key or 'bundle'}: {one_line(first['msg'])}") from None


def list_bundles() -> list[BundleEntry]:
    """The bundles that come with falco and those that were fetched; their files are looked for, not read."""
    fetched = sorted(path.parent.name for path in bundles_home().glob(f"*/{SPEC_FILE}"))
    return [_entry(name) for name in (*SHIPPED, *fetched)]


def falco_home() -> Path:
    """Where falco keeps what it fetches: $FALCO_HOME, or the user's data folder."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named) if named else user_data_path("falco")


def bundles_home() -> Path:
    """Where fetched bundles lie."""
    return falco_home() / "bundles"


def bundle_folder(name_or_folder: str | Path) -> Path:
    """The folder of a shipped or fetched bundle's name, or the folder itself."""
    if str(name_or_folder) in SHIPPED:
        return Path(__file__).parent / str(name_or_folder)
    folder = Path(name_or_folder)
    fetched = bundles_home() / folder
    return fetched if not (folder / SPEC_FILE).is_file() and (fetched / SPEC_FILE).is_file() else folder


def check_file(path: Path, sha256: str) -> None:
    """Raise BundleError unless `path` has the digest."""
    if not path.is_file():
        raise BundleError(f"{path} is missing: install the bundle again")
    found = sha256_of(path)
    if found != sha256:
        raise BundleError(f"{path} is damaged or was changed (sha256 {found[:12]}…, expected {sha256[:12]}…)")


def sha256_of(path: Path) -> str:
    """The digest of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(name: str) -> BundleEntry:
    try:
        spec = load_spec(name)
        for network in spec.networks.present().values():
            if not (path := bundle_folder(name) / network.file).is_file():
                raise BundleError(f"{path} is missing: install the bundle again")
    except BundleError as error:
        return BundleEntry(name, False, str(error))
    return BundleEntry(name, True, f"version {spec.version}, {spec.resolution} px, licence: {spec.licence}")
