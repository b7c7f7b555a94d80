"""Which published files a bundle is made of, where they are, and on what terms: registry.yaml as a model."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from falco_core.errors import BundleError
from falco_core.strict_yaml import RefusedYaml, read_yaml

SHIPPED_REGISTRY = Path(__file__).parent / "registry.yaml"

Network = Literal["generator", "encoder", "recogniser", "farl", "heldout", "clip", "dino"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Record):
    """One place to download from."""

    url: str = Field(pattern=r"^https?://\S+$")
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Of what the address sends, a tar included; without it falco never downloads from here by itself."""
    size: int | None = Field(default=None, gt=0)
    """Bytes of what the address sends, where known."""
    member: str | None = Field(default=None, min_length=1)
    """Path of the wanted file inside the tar that the address sends; None: it sends the file itself."""


class UpstreamFile(_Record):
    """One published checkpoint."""

    file: str = Field(pattern=r"^\w[\w.-]*$")
    """Its name on the user's disk."""
    network: Network
    about: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    licence_url: str = Field(pattern=r"^https?://\S+$")
    sources: tuple[Source, ...] = Field(min_length=1)
    """Mirrors, tried in this order."""


class BundleRecipe(_Record):
    """Which published files make a bundle."""

    about: str = Field(min_length=1)
    files: tuple[str, ...] = Field(min_length=1)
    """Keys of the registry's `files`, one per network."""


class Registry(_Record):
    """All of registry.yaml."""

    bundles: dict[str, BundleRecipe]
    files: dict[str, UpstreamFile]

    @model_validator(mode="after")
    def _bundles_name_known_files(self) -> "Registry":
        for name, recipe in self.bundles.items():
            networks: dict[str, str] = {}
            for key in recipe.files:
                if key not in self.files:
                    raise ValueError(f"bundles.{name}.files names {key}, which is not among the files")
                other = networks.setdefault(self.files[key].network, key)
                if other != key:
                    raise ValueError(f"bundles.{name}.files names {other} and {key}, both a {self.files[key].network}")
        return self


def load_registry(path: Path | None = None) -> Registry:
    """The shipped registry; the entries of a user's file at `path` replace or add to its `files` and `bundles`.

    Raises BundleError in one line that names the key.
    """
    document = _read(SHIPPED_REGISTRY)
    if path is not None:
        document = _overlay(document, _read(path))
    try:
        return Registry.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise BundleError(f"{path or SHIPPED_REGISTRY}: {key}{': ' if key else ''}{message}") from None


def _read(path: Path) -> dict[Any, Any]:
    try:
        document = read_yaml(path)
    except FileNotFoundError:
        raise BundleError(f"no registry at {path}") from None
    except (OSError, RefusedYaml) as error:
        raise BundleError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise BundleError(f"{path}: a registry has the keys `files` and `bundles`")
    return document


def _overlay(shipped: dict[Any, Any], own: dict[Any, Any]) -> dict[Any, Any]:
    """Sections of `own` that are no mappings are left for the validation to name."""
    merged = {key: shipped[key] | part for key, part in own.items() if key in shipped and isinstance(part, dict)}
    return {**shipped, **own, **merged}
