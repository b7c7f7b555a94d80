"""What a bundle trained on rendered people must reach, measured on people that nothing was trained on."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.bundles.catalogue import bundle_folder
from falco_core.errors import BundleError
from falco_core.faces.detect import Detector
from falco_core.photos.tensors import to_pixels
from falco_rendered.dataset import People
from falco_rendered.parameters import ATTRIBUTES, Values, attributes_of
from falco_rendered.renderer import render_aligned
from falco_rendered.sensor import blurred
from falco_rendered.train.losses import face_error, fine_share
from falco_rendered.train.probe import balanced_accuracy, read_out

SEED = 59
"""Of the people below; no recipe trains or stops on them (see rendered.train.sets)."""
VIEWS = 4
READ_OUTS = {"Smiling": 80.0, "Mouth_Slightly_Open": 80.0, "Eyeglasses": 95.0}
"""What the attribute preservation loss could keep at all, and the share (%) of answers that must be right."""
TRUNCATION = 0.7
CORES = 2


@dataclass(frozen=True)
class Extent:
    """How much is looked at: people of four pictures each, and pictures of each other kind."""

    people: int
    pictures: int


SAMPLE = Extent(people=60, pictures=120)
FULL = Extent(people=500, pictures=1000)
"""500 people of four pictures make 3,000 pairs of one person; as many pairs of strangers are drawn."""


@dataclass(frozen=True)
class Figure:
    """One line of the report."""

    what: str
    value: float
    bar: float
    n: int
    at_most: bool = False
    unit: str = ""

    @property
    def reached(self) -> bool:
        """Whether the bar is met; a value that is no number meets none."""
        return self.value <= self.bar if self.at_most else self.value >= self.bar


@dataclass(frozen=True)
class Pictures:
    """The test people and what the bundle makes of them, [N, 3, S, S] each in [-1, 1].

    told: what the generator draws where it is told the people's latents.
    """

    latents: Tensor
    identities: Tensor
    renders: Tensor
    renders_per_second: float
    told: Tensor
    reconstructions: Tensor
    generated: Tensor
    mixes: Tensor


@torch.inference_mode()
def measure_bars(name_or_folder: str | Path, extent: Extent, *, say: Callable[[str], None] = print) -> Iterator[Figure]:
    """Every figure with its bar; `say` is told what is under way. Raises BundleError without an attribute probe."""
    bundle = load_bundle(name_or_folder)
    if bundle.probe is None:
        raise BundleError(f"bundle {bundle.spec.name} has no attribute probe: only rendered bundles have these bars")
    say(f"rendering {extent.people} people, {VIEWS} pictures each")
    pictures = make_pictures(bundle, extent)
    yield from _detection(pictures)
    say("comparing people")
    yield from _recognition(bundle, pictures)
    yield from _attributes(bundle, pictures)
    yield from _read_outs(bundle, pictures)
    yield from _inside_the_mask(pictures)
    yield from _likeness(bundle, pictures)
    yield Figure("renderer, 2 cores at 128 px", pictures.renders_per_second, 3.0, len(pictures.renders), unit="img/s")
    folder = bundle_folder(name_or_folder)
    weights = [folder / network.file for network in bundle.spec.networks.present().values()]
    size = sum(path.stat().st_size for path in weights) / 1e6
    yield Figure("all shipped weights", size, 40.0, len(weights), at_most=True, unit="MB")


def make_pictures(bundle: Bundle, extent: Extent) -> Pictures:
    """Render the test people and pass them, and random codes, through the bundle."""
    people = People(extent.people, VIEWS, SEED)
    latents = people.latents()
    start = time.perf_counter()
    renders = _render(latents, bundle.spec.resolution)
    speed = len(latents) / (time.perf_counter() - start)
    codes = torch.cat([bundle.encoder(part) for part in renders.split(50)])
    chosen = torch.linspace(0, len(latents) - 1, min(extent.pictures, len(latents))).long()
    z = _draw(extent.pictures, bundle.generator.config.z_dim)
    w = bundle.generator.truncate(bundle.generator.map(z), TRUNCATION)
    first, last = bundle.spec.optimize_layers
    mixed = codes[chosen].clone()
    mixed[:, first:last] = codes[chosen].roll(1, dims=0)[:, first:last]
    return Pictures(
        latents=latents,
        identities=people.identities(),
        renders=renders,
        renders_per_second=speed,
        told=_synthesize(bundle, bundle.generator.broadcast(bundle.generator.map(latents))),
        reconstructions=_synthesize(bundle, codes),
        generated=_synthesize(bundle, bundle.generator.broadcast(w)),
        mixes=_synthesize(bundle, mixed),
    )


def _render(latents: Tensor, size: int) -> Tensor:
    """On two cores, one thread each: what the renderer's bar speaks of."""
    parts = latents.split(len(latents) // (4 * CORES) + 1)
    with ProcessPoolExecutor(CORES, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return torch.cat(list(pool.map(partial(_render_part, size=size), parts)))


def _render_part(latents: Tensor, size: int) -> Tensor:
    return render_aligned(latents, size=size).images


def _synthesize(bundle: Bundle, codes: Tensor) -> Tensor:
    return torch.cat([bundle.generator.synthesize(part).clamp(-1, 1) for part in codes.split(50)])


def _draw(count: int, size: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(SEED))


def _detection(pictures: Pictures) -> Iterator[Figure]:
    detector = Detector(device="cpu")
    kinds = (
        ("renders", pictures.renders, 0.97),
        ("generated, psi 0.7", pictures.generated, 0.97),
        ("reconstructions", pictures.reconstructions, 0.97),
        ("mixes of layers 3 to 7", pictures.mixes, 0.95),
    )
    for name, images, bar in kinds:
        found = one_face(detector, images)
        yield Figure(
            f"MTCNN finds exactly one face: {name}", 100 * float(found.mean()), 100 * bar, len(found), unit="%"
        )
        if name == "renders":
            gap = tone_gap(found, Values(pictures.latents).skin_tone.numpy())
            yield Figure("its worst skin-tone third, points below", 100 * gap, 8.0, len(found), at_most=True)


def one_face(detector: Detector, images: Tensor) -> np.ndarray:
    """Whether the detector finds exactly one face in each picture [N] bool."""
    return np.array([len(detector.detect(picture)) == 1 for picture in to_pixels(images)])


def tone_gap(found: np.ndarray, tones: np.ndarray) -> float:
    """By how much the third of the people (by skin tone) found least often is found less often than the others."""
    thirds = np.array_split(np.argsort(tones), 3)
    shares = [float(found[third].mean()) for third in thirds]
    others = [float(found[np.setdiff1d(np.arange(len(found)), third)].mean()) for third in thirds]
    return max(other - share for share, other in zip(shares, others, strict=True))


def _recognition(bundle: Bundle, pictures: Pictures) -> Iterator[Figure]:
    for name, network, bar in (("recogniser", bundle.recogniser, 99.0), ("held-out recogniser", bundle.heldout, 98.5)):
        embeddings = _embed(network, pictures.renders)
        own, strangers = balanced_pairs(embeddings, pictures.identities)
        accuracy = 100 * verification_accuracy(own, strangers)
        yield Figure(f"{name}: verification accuracy", accuracy, bar, len(own) + len(strangers), unit="%")
    rebuilt = _embed(bundle.heldout, pictures.reconstructions)
    share = float((embeddings * rebuilt).sum(1).mean() / own.mean())
    yield Figure("reconstruction's cosine to its render, share of same person", share, 1.0, len(rebuilt))


def balanced_pairs(embeddings: Tensor, identities: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines of all pairs of one person, and of as many pairs of strangers, spread over all of them."""
    rows, columns = torch.triu_indices(len(identities), len(identities), offset=1)
    alike = identities[rows] == identities[columns]
    cosines = (embeddings @ embeddings.T)[rows, columns]
    own, strangers = cosines[alike], cosines[~alike]
    order = torch.randperm(len(strangers), generator=torch.Generator().manual_seed(SEED))
    return own, strangers[order[: len(own)]]


def verification_accuracy(own: Tensor, strangers: Tensor, folds: int = 10) -> float:
    """Share of pairs judged right, each fold at the cut that is best on the others (LFW's protocol)."""
    right = []
    for fold in range(folds):
        held = torch.arange(len(own)) % folds == fold
        cut = _best_cut(own[~held], strangers[~held])
        right += [own[held] >= cut, strangers[held] < cut]
    return float(torch.cat(right).float().mean())


def _best_cut(own: Tensor, strangers: Tensor) -> float:
    cuts = own.sort().values
    kept = 1.0 - torch.arange(len(cuts)) / len(cuts)
    refused = torch.searchsorted(strangers.sort().values, cuts) / len(strangers)
    return float(cuts[(kept + refused).argmax()])


def _attributes(bundle: Bundle, pictures: Pictures) -> Iterator[Figure]:
    truth = attributes_of(pictures.latents)
    for name, images, bar in (("renders", pictures.renders, 93.0), ("reconstructions", pictures.reconstructions, 85.0)):
        found = torch.cat([bundle.probe.found(part) for part in images.split(100)]) if bundle.probe else truth
        mean = 100 * float(balanced_accuracy(found, truth).mean())
        yield Figure(f"attribute probe, mean balanced accuracy: {name}", mean, bar, len(found), unit="%")


def _read_outs(bundle: Bundle, pictures: Pictures) -> Iterator[Figure]:
    """What a line through FaRL's embeddings tells, fitted on half of the people and asked of the other half."""
    fitted = pictures.identities % 2 == 0
    features, truth = _embed(bundle.farl.embed, pictures.renders), attributes_of(pictures.latents)
    found = read_out(features[fitted], truth[fitted], features[~fitted])
    accuracy = balanced_accuracy(found, truth[~fitted])
    for name, bar in READ_OUTS.items():
        value = 100 * float(accuracy[ATTRIBUTES.index(name)])
        yield Figure(f"FaRL's embedding tells {name}, balanced accuracy", value, bar, len(found), unit="%")


def _inside_the_mask(pictures: Pictures) -> Iterator[Figure]:
    """Only this part of what the generator draws is ever shown."""
    for name, images, error, share in (
        ("drawn of known people", pictures.told, 0.049, 0.75),
        ("reconstructions", pictures.reconstructions, 0.062, 0.75),
    ):
        found = face_error(images, pictures.renders)
        yield Figure(f"mean absolute error inside the mask: {name}", found, error, len(images), at_most=True)
        found = fine_share(images, pictures.renders)
        yield Figure(f"fine energy inside the mask, share of renders': {name}", found, share, len(images))


def _likeness(bundle: Bundle, pictures: Pictures) -> Iterator[Figure]:
    renders, generated = _embed(bundle.heldout, pictures.renders), _embed(bundle.heldout, pictures.generated)
    # Halves of different people, so that both distances compare strangers.
    half = pictures.identities % 2 == 0
    size = min(int(half.sum()), int((~half).sum()), len(generated))
    one, other = renders[half][:size], renders[~half][:size]
    distance = frechet_distance(generated[:size], one) / frechet_distance(one, other)
    yield Figure("Frechet distance, generated over split renders", distance, 2.0, size, at_most=True)
    share = fine_energy(pictures.generated) / fine_energy(pictures.renders)
    yield Figure("sharpness: fine energy, generated over renders", share, 0.9, len(pictures.generated))


def _embed(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return torch.cat([network(part) for part in images.split(100)])


def frechet_distance(one: Tensor, other: Tensor) -> float:
    """Between the normal distributions fitted to two sets of features [N, E] (Heusel et al., 2017, eq. 6)."""
    left, right = one.double(), other.double()
    gap = (left.mean(0) - right.mean(0)).square().sum()
    a, b = torch.cov(left.T), torch.cov(right.T)
    # The trace of the square root of a product of covariances, by the eigenvalues of its symmetric form.
    values, vectors = torch.linalg.eigh(a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    shared = torch.linalg.eigvalsh(root @ b @ root).clamp(min=0).sqrt().sum()
    return float(gap + a.trace() + b.trace() - 2 * shared)


def fine_energy(images: Tensor, deviation: float = 1.0) -> float:
    """Mean square of what a Gaussian blur of `deviation` pixels takes away."""
    return float((images - blurred(images, deviation)).square().mean())


def table(figures: Sequence[Figure]) -> str:
    """The report as text."""
    lines = [f"{'':7}{'what':62}{'figure':>10}{'bar':>10}{'n':>7}"]
    for figure in figures:
        mark = "ok" if figure.reached else "BELOW"
        bar = f"{'<=' if figure.at_most else '>='} {figure.bar:g}"
        lines.append(f"{mark:7}{figure.what:62}{figure.value:10.2f}{bar:>10}{figure.n:7d} {figure.unit}".rstrip())
    return "\n".join(lines)
