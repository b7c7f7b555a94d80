"""Stand-ins for the published checkpoints: the official keys, shapes and nesting, filled from the manifests."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from facenet_pytorch import InceptionResnetV1
from torch import Tensor

from tests.golden import fill

GOLDEN = Path(fill.__file__).parent
LAYERS = 10
"""W+ layers of the small variants: 64 px."""
_SMALLER = {512: 32, 256: 24, 128: 16, 64: 8, 32: 2, 16: 1, 8: 1, 4: 1, 25088: 32 * 49}


def tensors(name: str, *, seed: int = 0) -> dict[str, Tensor]:
    """A full-size checkpoint part by its manifest's name."""
    return {key: torch.from_numpy(value) for key, value in fill.tensors(GOLDEN / f"{name}.manifest.json", seed)}


def uniform(label: str, shape: tuple[int, ...], std: float = 1.0, mean: float = 0.0) -> Tensor:
    """The inputs of the golden arrays."""
    return torch.from_numpy(fill.uniform(label, shape, std, mean))


def genforce(weights: dict[str, Tensor]) -> dict[str, object]:
    """The nesting of stylegan2_ffhq1024.pth; the unaveraged generator is another one."""
    return {"generator": {key: value + 1 for key, value in weights.items()}, "generator_smooth": weights}


def rosinality(weights: dict[str, Tensor], mean: Tensor) -> dict[str, object]:
    """The nesting of stylegan2-ffhq-config-f.pt."""
    return {"g_ema": weights, "latent_avg": mean}


def e4e(encoder: dict[str, Tensor], decoder: dict[str, Tensor], mean: Tensor) -> dict[str, object]:
    """The nesting of e4e_ffhq_encode.pt."""
    parts = {**encoder, **{f"decoder.{key}": value for key, value in decoder.items()}}
    return {"state_dict": parts, "latent_avg": mean, "opts": {"device": "cuda:0", "lr": 0.0001, "exp_dir": None}}


def farl(weights: dict[str, Tensor]) -> dict[str, object]:
    """The nesting of FaRL-Base-Patch16-LAIONFace20M-ep64.pth."""
    return {"state_dict": weights}


def small_genforce(seed: int) -> dict[str, Tensor]:
    """stylegan2_ffhq1024.pth's keys up to 64 px."""
    ends = [*(f"layer{i}." for i in range(LAYERS - 1)), *(f"output{i}." for i in range(LAYERS // 2))]
    kept = ("mapping.", "truncation.", "synthesis.early", "synthesis.upsample", *(f"synthesis.{end}" for end in ends))
    return _shrunk("stylegan2_ffhq1024", seed, lambda key: key.startswith(kept), {512: 32})


def small_decoder(seed: int) -> dict[str, Tensor]:
    """e4e's decoder's keys up to 64 px."""
    ends = [f"convs.{i}." for i in range(LAYERS - 2)] + [f"to_rgbs.{i}." for i in range(LAYERS // 2 - 1)]
    noises = [f"noises.noise_{i}" for i in range(LAYERS - 1)]
    kept = ("style.", "input.", "conv1.", "to_rgb1.", *ends)
    return _shrunk("e4e_decoder", seed, lambda key: key.startswith(kept) or key in noises, {512: 32})


def small_encoder(seed: int) -> dict[str, Tensor]:
    """e4e's encoder, narrow, for 10 layers."""
    styles = tuple(f"encoder.styles.{i}." for i in range(LAYERS))
    return _shrunk("e4e_ffhq_encode", seed, lambda key: "styles" not in key or key.startswith(styles), _SMALLER)


def small_recogniser(seed: int) -> dict[str, Tensor]:
    """A narrow IR-SE50."""
    return _shrunk("arcface_ir_se50", seed, lambda key: True, _SMALLER)


def small_farl(seed: int) -> dict[str, Tensor]:
    """FaRL's image tower, narrow, of two blocks."""
    kept = ("resblocks.0.", "resblocks.1.")
    sizes = {768: 64, 2304: 192, 3072: 256, 512: 32}
    return _shrunk("farl_visual", seed, lambda key: "resblocks" not in key or any(k in key for k in kept), sizes)


def facenet(seed: int) -> dict[str, Tensor]:
    """20180402-114759-vggface2.pt: facenet-pytorch's own module, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return dict(InceptionResnetV1(pretrained=None, classify=True, num_classes=8631).state_dict())


def save_small(folder: Path, *, seed: int = 1) -> dict[str, Path]:
    """One small file per network in its official container, by the names of `falco models convert`."""
    folder.mkdir(parents=True, exist_ok=True)
    mean = uniform("latent_avg", (LAYERS, 32), 0.1)
    contents: dict[str, tuple[str, object]] = {
        "generator": ("stylegan2_ffhq64.pth", genforce(small_genforce(seed))),
        "encoder": ("e4e_ffhq_encode.pt", e4e(small_encoder(seed), small_decoder(seed), mean)),
        "recogniser": ("model_ir_se50.pth", small_recogniser(seed)),
        "farl": ("FaRL-Base-Patch16-LAIONFace20M-ep64.pth", farl(small_farl(seed))),
        "heldout": ("20180402-114759-vggface2.pt", facenet(seed)),
    }
    for name, content in contents.values():
        torch.save(content, folder / name)
    return {network: folder / name for network, (name, _) in contents.items()}


def save_full_size(folder: Path, *, seed: int = 7) -> dict[str, Path]:
    """As `save_small`, in the published sizes (2 GB); the recogniser in PyTorch's older format, as published."""
    mean = uniform("latent_avg", (18, 512), 0.1)
    encoder = e4e(tensors("e4e_ffhq_encode", seed=seed), tensors("e4e_decoder", seed=seed), mean)
    paths = {"encoder": folder / "e4e_ffhq_encode.pt"}
    torch.save(encoder, paths["encoder"])
    del encoder
    paths["generator"] = folder / "stylegan2_ffhq1024.pth"
    torch.save({"generator_smooth": tensors("stylegan2_ffhq1024", seed=seed)}, paths["generator"])
    paths["recogniser"] = folder / "model_ir_se50.pth"
    weights = tensors("arcface_ir_se50", seed=seed)
    torch.save(weights, paths["recogniser"], _use_new_zipfile_serialization=False)
    paths["farl"] = folder / "FaRL-Base-Patch16-LAIONFace20M-ep64.pth"
    torch.save(farl(tensors("farl_visual", seed=seed)), paths["farl"])
    paths["heldout"] = folder / "20180402-114759-vggface2.pt"
    torch.save(facenet(seed), paths["heldout"])
    return paths


def _shrunk(name: str, seed: int, keep: Callable[[str], bool], sizes: dict[int, int]) -> dict[str, Tensor]:
    found = {}
    for key, tensor in _kept(name, seed, keep):
        fixed = key.endswith("kernel") or "noise" in key or "num_batches" in key
        window = [slice(None) if fixed else slice(sizes.get(size, size)) for size in tensor.shape]
        found[key] = tensor[tuple(window)].clone()
    return found


def _kept(name: str, seed: int, keep: Callable[[str], bool]) -> Iterable[tuple[str, Tensor]]:
    return (
        (key, torch.from_numpy(array))
        for key, array in fill.tensors(GOLDEN / f"{name}.manifest.json", seed)
        if keep(key)
    )
