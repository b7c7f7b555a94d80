"""A project folder as the stages see it: its params, its paths, its kept work, its bundle."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from falco_core.bundles import BundleSpec, load_spec
from falco_core.errors import ParamsError, ProjectError
from falco_core.photos.mirror import check_copy
from falco_core.project.keys import Keys
from falco_core.project.params import Params, load_params
from falco_core.project.stages import PHOTOS, STAGES, Stage
from falco_core.store.artifact import Artifact
from falco_core.store.kept import KeptWork
from falco_core.store.place import is_url

if TYPE_CHECKING:
    from falco_core.bundles.bundle import Bundle

RowType = TypeVar("RowType")
PARAMS_FILE = "params.yaml"
USUAL_BATCH = 16
"""Faces of 128 px in a batch where the machine needs no more."""


@dataclass(frozen=True)
class Project:
    """An opened project folder. Cheap to open: torch and the networks are imported when first asked for."""

    root: Path
    params: Params

    @classmethod
    def open(cls, root: Path) -> "Project":
        """Read and check `root`/params.yaml; raises ParamsError."""
        root = root.resolve()
        return cls(root, load_params(root / PARAMS_FILE))

    @property
    def photos_url(self) -> str | None:
        """Where photos lie that are in no folder of this machine; None: they are in one."""
        place = self.params.input.photos
        return place if is_url(place) else None

    @property
    def photos(self) -> Path:
        """The folder of photos, or of the copy of those that lie elsewhere; raises ProjectError if there is none."""
        if self.photos_url is not None:
            # Through the link, by which a clone on this machine finds the copy, too.
            folder = (self.root / PHOTOS).resolve()
            check_copy(folder, self.photos_url)
            return folder
        folder = self.root / self.params.input.photos
        if not folder.is_dir():
            raise ProjectError(f"input.photos: {folder} is not a folder; name one in {self.root / PARAMS_FILE}")
        return folder

    def path(self, artifact: str, *parts: str) -> Path:
        """Where an artifact of the stage table lies."""
        return self.root.joinpath(artifact, *parts)

    @property
    def spec(self) -> BundleSpec:
        """The bundle's description, without its networks."""
        return load_spec(self.bundle_source)

    def bundle(self) -> "Bundle":
        """The bundle on the best device, loaded once per process."""
        return _loaded_bundle(self.bundle_source, best_device())

    @property
    def pairing_space(self) -> str:
        """The space in which faces and fakes are paired; raises ParamsError if the bundle does not have it."""
        space = self.params.pair.space
        if space not in self.spec.spaces:
            raise ParamsError(
                f"pair.space: bundle {self.spec.name} has no {space}; choose from {', '.join(self.spec.spaces)}"
            )
        return space

    def batch_size(self, wanted: int | None) -> int:
        """Faces per batch: `wanted` up to 128 px, of larger ones fewer by the ratio of the areas.

        None: 16 of 128 px, or as many as have the GPU or, where batches are computed in this process, every core at
        work.
        """
        faces, resolution = wanted or USUAL_BATCH, self.spec.resolution
        scaled = max(1, min(faces, faces * 128**2 // resolution**2))
        if wanted is not None:
            return scaled
        # Imports torch, which stages without anything new need not.
        import torch

        from falco_core.networks.shapes import batch_shape
        from falco_core.parallel import cores

        run = self.params.run
        device = torch.device("cuda" if run.gpu_workers else best_device())
        side_by_side = cores() if device.type == "cpu" and run.runner == "threads" else 1
        return max(scaled, batch_shape(resolution, device) * side_by_side)

    def kept(self, stage: Stage, row_class: type[RowType], buckets: Collection[str]) -> KeptWork[RowType]:
        """The kept work of `stage`, divided into `buckets`."""
        return KeptWork(self._store, stage.name, row_class, buckets)

    def check_store(self) -> None:
        """Raise ParamsError if `store.path` is no place that can be opened."""
        KeptWork(self._store, "", object, ())

    @property
    def _store(self) -> str:
        url = self.params.store.path
        return url if is_url(url) else str((self.root / url).resolve())

    def artifact(self, folder: str, row_class: type[RowType]) -> Artifact[RowType]:
        """What a stage left in a folder of the stage table; raises ProjectError if it is missing."""
        return Artifact(self.path(folder), row_class)

    def share_store(self, reader: Stage) -> None:
        """Let the store share its files with the artifacts that `reader` reads: see `KeptWork.share`."""
        for stage in STAGES:
            for folder in set(stage.writes) & set(reader.reads):
                if self.path(folder).is_dir():
                    self.kept(stage, object, ()).share(self.path(folder))

    def keys(self, stage: Stage, *, without: tuple[str, ...] = ()) -> Keys:
        """What makes the keys of `stage`'s items; the params `without` do not change them."""
        params = self.params.values(name for name in stage.params if name not in without)
        return Keys(stage.name, stage.version, params, network_pin(self.spec, stage))

    @property
    def bundle_source(self) -> str:
        """The bundle's name, or its folder."""
        name = self.params.bundle
        folder = self.root / name
        return str(folder) if (folder / "bundle.yaml").is_file() else name


def network_pin(spec: BundleSpec, stage: Stage) -> str:
    """Digest over the bundle's resolution and layer split and the configuration and weights `stage` uses."""
    parts = [f"{spec.resolution} {spec.optimize_layers} {spec.learning_rate} {spec.thresholds}"]
    parts += [] if spec.step_rule is None else [spec.step_rule.model_dump_json(exclude_none=True)]
    present = spec.networks.present()
    parts += [
        f"{name} {present[name].model_dump_json(exclude={'source'})}" for name in stage.networks if name in present
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def best_device() -> str:
    """cuda if a GPU is at hand, else cpu."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@lru_cache(maxsize=1)
def _loaded_bundle(source: str, device: str) -> "Bundle":
    from falco_core.bundles.bundle import load_bundle

    return load_bundle(source, device=device)
