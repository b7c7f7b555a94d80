"""Recognisers that judge: one interface for a bundle's networks and for dlib's, and the registry of their names."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np
import torch

from falco_core.bundles.bundle import Bundle
from falco_core.errors import JudgeError
from falco_core.faces.align import crop_quad, extract_crop
from falco_core.judges.dlib_judge import DlibJudge
from falco_core.judges.sface_judge import SFaceJudge
from falco_core.judges.similarity import Measure
from falco_core.networks.heldout import FACENET
from falco_core.photos.tensors import to_tensor

Kind = Literal["real", "rendered"]

BATCH = 16
"""Crops at a time."""
NEAR_SHARE = 0.15
"""For a bundle's network two faces are nearer than strangers come where 1 - cosine is 0.15 of what it is at the
threshold: 0.946 for mini's held-out network, which one in a million pairs of strangers reaches at 0.943 (extrapolated;
none of 539,760 did, docs/judges.md). Not measured for FaceNet, whose weights falco does not ship."""


class Judge(Protocol):
    """A face recogniser that says how alike two faces are: 1 is equal, higher is more alike."""

    @property
    def name(self) -> str:
        """By which params.yaml and bundle.yaml call it."""

    @property
    def protocol(self) -> str:
        """Network and threshold, as metric names have it: `dlib_0.6` in `reid_dlib_0.6`."""

    @property
    def threshold(self) -> float:
        """Similarity from which two faces count as one person."""

    @property
    def near(self) -> float:
        """Similarity that faces of different people of the kind it knows do not reach: stricter than `threshold`."""

    @property
    def knows(self) -> Kind:
        """The kind of people it was trained on."""

    @property
    def measure(self) -> Measure:
        """How its embeddings are compared (falco_core.judges.similarity)."""

    @property
    def norms(self) -> tuple[float, float]:
        """Least and largest length of an embedding of a face."""

    def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
        """A photo uint8 [H, W, 3] and F faces' landmarks [5, 2] (photo pixels) -> float32 [F, E]."""


class BundleJudge:
    """One of a bundle's networks, on the FFHQ-style crop of each face; compared by cosine."""

    measure: Measure = "cosine"
    norms = (0.999, 1.001)

    def __init__(self, name: str, bundle: Bundle, *, network: Literal["recogniser", "heldout"]) -> None:
        """`network` of `bundle` under the name `name`, with the threshold that bundle.yaml has for it."""
        self.name = name
        self.threshold: float = getattr(bundle.spec.thresholds, network)
        self.near = 1.0 - NEAR_SHARE * (1.0 - self.threshold)
        self.protocol = f"{name}_{self.threshold:.2f}"
        self.knows: Kind = people_of(bundle)
        self._network: Callable[[torch.Tensor], torch.Tensor] = getattr(bundle, network)
        self._device = bundle.device
        self._resolution = bundle.spec.resolution
        self._size: int = getattr(bundle, network).config.embedding

    def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
        """A photo uint8 [H, W, 3] and F faces' landmarks [5, 2] (photo pixels) -> float32 [F, E], unit length."""
        crops = [extract_crop(pixels, crop_quad(points), self._resolution) for points in landmarks]
        return self.embed_crops(np.stack(crops)) if crops else np.zeros((0, self._size), dtype=np.float32)

    @torch.inference_mode()
    def embed_crops(self, crops: np.ndarray) -> np.ndarray:
        """Crops uint8 [F, R, R, 3] as extract_crop makes them -> float32 [F, E], unit length."""
        batches = [crops[start : start + BATCH] for start in range(0, len(crops), BATCH)]
        found = [self._network(to_tensor(batch).to(self._device)).float().cpu().numpy() for batch in batches]
        return np.concatenate(found)


def people_of(bundle: Bundle) -> Kind:
    """The kind of people a bundle's networks were trained on: FaceNet (VGGFace2) saw real ones, our own rendered."""
    return "real" if bundle.spec.networks.heldout.config.architecture == FACENET else "rendered"


def judge_named(name: str, bundle: Bundle) -> Judge:
    """The judge called `name`, made once per process and bundle; raises JudgeError in one line."""
    if name not in _MAKERS:
        raise JudgeError(f"no judge is called {name!r}: choose from {', '.join(_MAKERS)}")
    if (name, id(bundle)) not in _MADE:
        # The bundle is kept with its judge, so that its id is never another's.
        _MADE[name, id(bundle)] = (bundle, _MAKERS[name](bundle))
    return _MADE[name, id(bundle)][1]


def _heldout(name: str, people: Kind) -> Callable[[Bundle], Judge]:
    def make(bundle: Bundle) -> Judge:
        if people_of(bundle) != people:
            raise JudgeError(f"{name}: the held-out recogniser of the bundle {bundle.spec.name} is another one")
        return BundleJudge(name, bundle, network="heldout")

    return make


_MAKERS: dict[str, Callable[[Bundle], Judge]] = {
    "dlib": lambda bundle: _shared("dlib"),
    "sface": lambda bundle: _shared("sface"),
    "rendered_heldout": _heldout("rendered_heldout", "rendered"),
    "facenet_vggface2": _heldout("facenet_vggface2", "real"),
    "recogniser": lambda bundle: BundleJudge("recogniser", bundle, network="recogniser"),
}
_MADE: dict[tuple[str, int], tuple[Bundle, Judge]] = {}
_SHARED: dict[str, Judge] = {}


def _shared(name: Literal["dlib", "sface"]) -> Judge:
    """A judge that depends on no bundle, loaded once."""
    if name not in _SHARED:
        _SHARED[name] = DlibJudge() if name == "dlib" else SFaceJudge()
    return _SHARED[name]
