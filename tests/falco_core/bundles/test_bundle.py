import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from falco_core.bundles import bundle_folder, list_bundles, load_spec
from falco_core.bundles.bundle import load_bundle
from falco_core.bundles.save import save_weights
from falco_core.errors import BundleError


@pytest.fixture
def folder(tiny_bundle_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle_folder, tmp_path / "bundle"))


def resign(folder: Path, network: str) -> None:
    """Make bundle.yaml agree with a changed weights file."""
    import hashlib

    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    data = (folder / f"{network}.safetensors").read_bytes()
    spec["networks"][network]["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "bundle.yaml").write_text(yaml.safe_dump(spec))


def test_a_saved_bundle_loads_ready_for_inference(folder: Path) -> None:
    bundle = load_bundle(folder)
    codes = bundle.encoder(torch.zeros(3, 3, 32, 32))
    assert codes.shape == (3, bundle.spec.num_layers, 16)
    images = bundle.generator.synthesize(codes)
    assert images.shape == (3, 3, 32, 32)
    for network in (bundle.generator, bundle.encoder, bundle.recogniser, bundle.heldout, bundle.farl):
        assert not network.training
        assert not any(weight.requires_grad for weight in network.parameters())
    for embed in (bundle.recogniser, bundle.heldout, bundle.farl.embed):
        torch.testing.assert_close(embed(images).norm(dim=1), torch.ones(3))


def test_a_bundle_can_be_shared(folder: Path) -> None:
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o044 == 0o044, path.name


def test_a_changed_file_is_refused_before_it_is_read(folder: Path) -> None:
    with (folder / "encoder.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="encoder.safetensors is damaged"):
        load_bundle(folder)


@pytest.mark.parametrize("trouble", ["missing", "unknown", "shape", "finite"])
def test_weights_that_do_not_fit_are_named(folder: Path, trouble: str) -> None:
    path = folder / "generator.safetensors"
    weights = load_file(path)
    if trouble == "missing":
        del weights["const"]
    elif trouble == "unknown":
        weights["extra"] = torch.zeros(1)
    elif trouble == "shape":
        weights["const"] = torch.zeros(1, 2, 4, 4)
    else:
        weights["const"] = torch.full_like(weights["const"], float("nan"))
    save_file(weights, path)
    resign(folder, "generator")
    with pytest.raises(BundleError, match="extra is unknown" if trouble == "unknown" else f"const.*{trouble}"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [("optimize_layers", [3, 30], "optimize_layers"), ("colour", 1, "colour"), ("name", "", "name")],
)
def test_a_wrong_description_is_one_line(folder: Path, key: str, value: object, named: str) -> None:
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    (folder / "bundle.yaml").write_text(yaml.safe_dump({**spec, key: value}))
    with pytest.raises(BundleError, match=named) as error:
        load_spec(folder)
    assert "\n" not in str(error.value)


def test_an_unknown_bundle_says_what_there_is() -> None:
    with pytest.raises(BundleError, match="no bundle at no-such-bundle: `falco models list`"):
        load_bundle("no-such-bundle")


def test_the_shipped_bundle_is_whole_and_small() -> None:
    (mini,) = list_bundles()
    assert mini.ready, mini.detail
    weights = bundle_folder("mini").glob("*.safetensors")
    assert sum(path.stat().st_size for path in weights) < 40e6


def test_a_disk_that_takes_no_more_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    # A folder in the file's place: the last step of writing fails as a full disk would.
    target = tmp_path / "weights.safetensors"
    (target / "in the way").mkdir(parents=True)
    with pytest.raises(BundleError, match="cannot be written") as error:
        save_weights({"a": torch.zeros(2)}, target)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
