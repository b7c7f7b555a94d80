"""Small stand-ins for the published files, through their official containers, to a bundle."""

import hashlib
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import open_clip
import pytest
import timm
import torch
from facenet_pytorch import InceptionResnetV1
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from falco_core.bundles.bundle import load_bundle
from falco_core.bundles.official.convert import About, OfficialFiles, convert_bundle, convert_file
from falco_core.bundles.official.translate import Converted
from falco_core.bundles.verify import verify_bundle
from falco_core.errors import BundleError
from falco_core.networks.dino import Dino
from falco_core.networks.farl import Farl, FarlText
from falco_core.networks.heldout import HeldOutRecogniser
from tests import official

Content = dict[str, Any]


def saved(folder: Path, content: object, name: str | None = None) -> Path:
    # Each in a file of its own: converted weights are still mapped from theirs.
    path = folder / (name or f"checkpoint{len(list(folder.iterdir()))}.pth")
    torch.save(content, path)
    return path


def built(made: Converted, build: Callable[[Any], nn.Module]) -> Any:
    module = build(made.config)
    module.load_state_dict(made.weights)
    return module.eval().requires_grad_(False)


def same(left: Converted, right: Converted) -> bool:
    keys = left.weights.keys() == right.weights.keys()
    return keys and all(torch.equal(left.weights[key], right.weights[key]) for key in left.weights)


def test_the_bundle_says_what_it_is_made_of(converted_bundle: Path, official_files: dict[str, Path]) -> None:
    bundle = load_bundle(converted_bundle)
    spec = bundle.spec
    assert (spec.resolution, spec.num_layers, spec.optimize_layers) == (64, 10, (3, 8))
    assert spec.learning_rate == 0.01
    assert spec.spaces == ("farl", "recogniser")
    for name, network in spec.networks.present().items():
        digest = hashlib.sha256(official_files[name].read_bytes()).hexdigest()
        assert network.source == f"{official_files[name].name}, sha256 {digest}"
    assert [check.subject for check in verify_bundle(converted_bundle) if check.ok] == [
        "generator", "encoder", "recogniser", "heldout", "farl", "together",
    ]  # fmt: skip


def test_the_thresholds_are_those_of_generated_strangers(converted_bundle: Path) -> None:
    bundle = load_bundle(converted_bundle)
    z = torch.cat([torch.randn(1, 32, generator=torch.Generator().manual_seed(seed)) for seed in range(128)])
    with torch.no_grad():
        images = bundle.generator(z)
        embeddings = bundle.recogniser(images)
    above = (embeddings @ embeddings.T).triu(diagonal=1) > bundle.spec.thresholds.recogniser
    assert int(above.sum()) == pytest.approx(81, abs=3)


def test_loading_copies_no_weights(converted_bundle: Path) -> None:
    bundle = load_bundle(converted_bundle)
    mapped = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(converted_bundle) in line]
    ranges = [tuple(int(end, 16) for end in line.split()[0].split("-")) for line in mapped]
    for module in (bundle.generator, bundle.encoder, bundle.recogniser, bundle.heldout, bundle.farl):
        for key, tensor in module.state_dict().items():
            assert any(start <= tensor.data_ptr() < end for start, end in ranges), key


def test_without_a_generator_file_the_encoders_decoder_is_taken(
    official_files: dict[str, Path], tmp_path: Path
) -> None:
    files = OfficialFiles(**{name: path for name, path in official_files.items() if name != "generator"})
    spec = convert_bundle(files, tmp_path / "bundle", About("x"), say=lambda _: None)
    assert spec.networks.generator.source.startswith("e4e_ffhq_encode.pt")
    (decoder,) = convert_file("generator", official_files["encoder"])
    mean = official.uniform("latent_avg", (official.LAYERS, 32), 0.1)[0]
    path = saved(tmp_path, official.rosinality(official.small_decoder(1), mean), "stylegan2-ffhq-config-f.pt")
    (rosinality,) = convert_file("generator", path)
    assert same(decoder, rosinality)
    assert torch.equal(rosinality.weights["w_mean"], mean)


def test_the_averaged_generator_is_preferred(tmp_path: Path) -> None:
    smooth, raw = official.small_genforce(1), official.small_genforce(2)
    both = convert_file("generator", saved(tmp_path, {"generator": raw, "generator_smooth": smooth}))[0]
    alone = convert_file("generator", saved(tmp_path, {"generator_smooth": smooth}))[0]
    fallback = convert_file("generator", saved(tmp_path, {"generator": raw}))[0]
    assert same(both, alone)
    assert not same(both, fallback)


def test_older_and_safer_containers_give_the_same(official_files: dict[str, Path], tmp_path: Path) -> None:
    (expected,) = convert_file("recogniser", official_files["recogniser"])
    weights = official.small_recogniser(1)
    legacy = tmp_path / "legacy.pth"
    torch.save(weights, legacy, _use_new_zipfile_serialization=False)
    save_file(weights, tmp_path / "weights.safetensors")
    assert same(convert_file("recogniser", legacy)[0], expected)
    assert same(convert_file("recogniser", tmp_path / "weights.safetensors")[0], expected)


def small_clip() -> nn.Module:
    torch.manual_seed(0)
    vision = {"layers": 2, "width": 64, "head_width": 64, "patch_size": 16, "image_size": 64}
    text = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2}
    return open_clip.CLIP(32, vision, text, quick_gelu=True).eval()


def test_farls_towers_are_clips(tmp_path: Path) -> None:
    clip: Any = small_clip()
    extra = {"visual.mask_token": torch.zeros(64), "visual.lm_transformer.resblocks.0.ln_1.bias": torch.zeros(64)}
    image, text = convert_file("farl", saved(tmp_path, official.farl({**clip.state_dict(), **extra})))
    farl, farl_text = built(image, Farl), built(text, FarlText)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    captions = ["a smiling person", "an old man with glasses"]
    with torch.no_grad():
        expected = clip.encode_image(farl.normalize(images), normalize=True)
        torch.testing.assert_close(farl.embed(images), expected)
        expected = clip.encode_text(open_clip.tokenize(captions), normalize=True)
        torch.testing.assert_close(farl_text.embed(captions), expected)


def test_clip_and_dino_become_pairing_spaces(
    official_files: dict[str, Path], converted_bundle: Path, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    dino = timm.create_model("vit_tiny_patch16_224", img_size=64, embed_dim=64, num_heads=1, depth=2, num_classes=0)
    dino_file = saved(tmp_path, dino.state_dict(), "dino_vitbase16_pretrain.pth")
    clip_file = tmp_path / "open_clip_model.safetensors"
    save_file(dict(small_clip().state_dict()), clip_file)
    files = OfficialFiles(**official_files, clip=clip_file, dino=dino_file)
    convert_bundle(files, tmp_path / "bundle", About("x"), say=lambda _: None)
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.spec.spaces == ("farl", "recogniser", "clip", "dino")
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        features = bundle.features(images)
        plain = load_bundle(converted_bundle).features(images)
        torch.testing.assert_close(features["farl"], plain["farl"])
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        normalized = ((images + 1) / 2 - mean[:, None, None]) / std[:, None, None]
        torch.testing.assert_close(features["dino"], functional.normalize(dino.eval()(normalized), dim=1))
    assert {name: feature.shape for name, feature in features.items()} == {
        "recogniser": (2, 32), "farl": (2, 32), "clip": (2, 32), "dino": (2, 64),
    }  # fmt: skip
    assert isinstance(bundle.dino, Dino)


def test_the_heldout_judge_is_facenets(official_files: dict[str, Path]) -> None:
    judge = built(convert_file("heldout", official_files["heldout"])[0], HeldOutRecogniser)
    facenet = InceptionResnetV1(pretrained=None, classify=False).eval()
    facenet.load_state_dict(official.facenet(1), strict=False)
    pixels = torch.randint(0, 256, (2, 3, 160, 160)).float()
    with torch.no_grad():
        torch.testing.assert_close(judge.embed_crop(pixels / 127.5 - 1.0), facenet((pixels - 127.5) / 128.0))
    frame = torch.full((1, 3, 1024, 1024), -1.0)
    frame[:, :, 134:900, 120:886] = 1.0
    assert judge.crop(frame).shape == (1, 3, 160, 160)
    assert judge.crop(frame).min() > 0.9999
    assert judge.crop(-frame).max() < -0.9999


KEYS = {
    "generator": "synthesis.layer3.style.weight",
    "encoder": "encoder.body.3.res_layer.1.weight",
    "recogniser": "output_layer.3.bias",
    "farl": "visual.transformer.resblocks.1.mlp.c_fc.bias",
    "heldout": "mixed_6a.branch0.conv.weight",
}


def tensors_in(network: str, content: Content) -> dict[str, Tensor]:
    part = {"generator": "generator_smooth", "encoder": "state_dict", "farl": "state_dict"}.get(network)
    return content[part] if part else content


def spoil(weights: dict[str, Tensor], key: str, trouble: str) -> str:
    """Make `trouble` in a checkpoint and return the key that the error must name."""
    if trouble == "is missing":
        del weights[key]
    elif trouble == "has shape":
        weights[key] = weights[key][:1, ...].clone() if weights[key].dim() > 1 else weights[key][:-1].clone()
    elif trouble == "not finite":
        weights[key] = weights[key].clone()
        weights[key].view(-1)[3] = float("nan")
    else:
        key = f"{key}.surplus"
        weights[key] = torch.zeros(1)
    return key.removeprefix("encoder.")


@pytest.mark.parametrize("trouble", ["is missing", "has shape", "not finite", "is unknown"])
@pytest.mark.parametrize("network", KEYS)
def test_every_tensor_is_accounted_for(
    network: str, trouble: str, official_files: dict[str, Path], tmp_path: Path
) -> None:
    content = torch.load(official_files[network], weights_only=True)
    key = spoil(tensors_in(network, content), KEYS[network], trouble)
    path = saved(tmp_path, content)
    with pytest.raises(BundleError) as error:
        convert_file(network, path)
    line = str(error.value)
    assert line.startswith(str(path)) and key in line and trouble in line and "\n" not in line


@pytest.mark.parametrize("key", ["synthesis.upsample.kernel", "synthesis.layer1.filter.kernel"])
def test_another_filter_than_ours_is_refused(key: str, tmp_path: Path) -> None:
    weights = official.small_genforce(1)
    weights[key] = weights[key].roll(1, dims=-1)
    with pytest.raises(BundleError, match=f"{key} is not the filter"):
        convert_file("generator", saved(tmp_path, {"generator_smooth": weights}))


# e4e's file does hold a generator.
OTHERS = [(asked, given) for asked in KEYS for given in KEYS if given not in (asked, "encoder")]
OTHERS += [(asked, "encoder") for asked in ("recogniser", "farl", "heldout")]


@pytest.mark.parametrize(("asked", "given"), OTHERS)
def test_the_file_of_another_network_is_refused(asked: str, given: str, official_files: dict[str, Path]) -> None:
    with pytest.raises(BundleError) as error:
        convert_file(asked, official_files[given])
    assert str(official_files[given]) in str(error.value) and "found" in str(error.value)
    assert "\n" not in str(error.value)


def test_files_of_two_resolutions_are_refused(official_files: dict[str, Path], tmp_path: Path) -> None:
    weights = {
        key: value
        for key, value in official.small_genforce(1).items()
        if not key.startswith(("synthesis.layer7", "synthesis.layer8", "synthesis.output4"))
    }
    files = replace(OfficialFiles(**official_files), generator=saved(tmp_path, official.genforce(weights)))
    with pytest.raises(BundleError, match="makes codes of 10 layers, .* reads 8: give files of one resolution"):
        convert_bundle(files, tmp_path / "bundle", About("x"), say=lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint0.pth"]


class Attack:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_refused_and_never_run(zipped: bool, tmp_path: Path) -> None:
    path, marker = tmp_path / "evil.pth", tmp_path / "ran"
    torch.save({"weights": Attack(marker)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(BundleError) as error:
        convert_file("recogniser", path)
    assert "refused" in str(error.value) and "system" in str(error.value) and "\n" not in str(error.value)
    assert not marker.exists()


def bare_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Attack(path.with_name("ran"))))


def torchscript(path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path)


def truncated(path: Path) -> None:
    torch.save({"a": torch.zeros(10_000)}, path)
    path.write_bytes(path.read_bytes()[:20_000])


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such file"),
    "empty": (lambda path: path.touch(), "damaged, or no checkpoint; get it again"),
    "text": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "refused|damaged"),
    "web page": (lambda path: path.write_text("<!doctype html><title>Sign in</title>"), "refused|damaged"),
    "truncated": (truncated, "damaged, or no checkpoint; get it again"),
    "torchscript": (torchscript, "TorchScript archive"),
    "pickle": (bare_pickle, "refused"),
    "list": (lambda path: torch.save([torch.zeros(2)], path), "holds a list"),
    "no tensors": (lambda path: torch.save({"state_dict": {"visual.proj": "x"}}, path), "visual.proj is a str"),
}


@pytest.mark.parametrize("kind", FILES)
def test_what_is_no_checkpoint_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    make, expected = FILES[kind]
    make(path)
    with pytest.raises(BundleError, match=expected) as error:
        convert_file("farl", path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_a_failed_conversion_leaves_nothing_and_touches_nothing(
    official_files: dict[str, Path], tmp_path: Path
) -> None:
    files = replace(OfficialFiles(**official_files), farl=tmp_path / "none.pth")
    with pytest.raises(BundleError, match="no such file"):
        convert_bundle(files, tmp_path / "bundle", About("x"), say=lambda _: None)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "bundle").mkdir()
    with pytest.raises(BundleError, match="exists"):
        convert_bundle(OfficialFiles(**official_files), tmp_path / "bundle", About("x"))
    assert list((tmp_path / "bundle").iterdir()) == []
