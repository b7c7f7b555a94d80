from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from falco_core.bundles.official.registry import Registry, load_registry
from falco_core.errors import BundleError

TAR_DIGESTS = {
    "genforce.tar": "63284b4f4ffeac38037061fd175c462afff82bbe570ed80092720a724a67a6dc",
    "e4e.tar": "b4a95155f2bebbb229b7dfc914fe937753b9a5b8de9a837875f9fbcacf8bb287",
    "farl.tar": "1d67cc6fd3cea9fdd7ec6af812a32e6b02374162d02137dd80827283d496b2d8",
    "arcface.tar": "edd5854cacd86c17a78a11f70ab8c49bceffefb90ee070754288fa7ceadcdfb2",
}
OWN_FILE = {
    "file": "own.pth",
    "network": "generator",
    "about": "ours",
    "licence": "ours",
    "licence_url": "https://example.org/licence",
    "sources": [{"url": "https://example.org/own.pth", "sha256": "0" * 64}],
}


@pytest.fixture(scope="module")
def shipped() -> Registry:
    return load_registry()


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_registry(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_the_tars_of_the_release_have_its_digests_and_layout(shipped: Registry) -> None:
    tars = [
        (name, source)
        for upstream in shipped.files.values()
        for source in upstream.sources
        for name in TAR_DIGESTS
        if f"/{name}?" in source.url
    ]
    assert {name for name, _ in tars} == set(TAR_DIGESTS)
    for name, source in tars:
        assert source.sha256 == TAR_DIGESTS[name]
        assert source.member is not None
        assert source.member.startswith(f"{name.removesuffix('.tar')}/")


def test_a_bundle_can_be_fetched_without_a_file_that_nobody_vouches_for(shipped: Registry) -> None:
    for recipe in shipped.bundles.values():
        for key in recipe.files:
            assert any(source.sha256 for source in shipped.files[key].sources), key


def test_the_bundle_of_the_release_has_what_a_conversion_needs(shipped: Registry) -> None:
    networks = {shipped.files[key].network for key in shipped.bundles["ffhq1024"].files}
    assert networks == {"generator", "encoder", "recogniser", "farl", "heldout"}


def test_an_unpacked_file_is_called_what_it_is_called_in_its_tar(shipped: Registry) -> None:
    for upstream in shipped.files.values():
        for source in upstream.sources:
            assert source.member is None or Path(source.member).name == upstream.file


def test_file_names_are_not_shared(shipped: Registry) -> None:
    names = [upstream.file for upstream in shipped.files.values()]
    assert len(set(names)) == len(names)


def test_an_own_registry_replaces_and_adds_and_keeps_the_rest(tmp_path: Path, shipped: Registry) -> None:
    # A copy: of shared values YAML's writer makes anchors, which falco does not read.
    entries = {"files": {"farl_ep64": {**deepcopy(OWN_FILE), "network": "farl"}, "mine": OWN_FILE}}
    registry = load_registry(own(tmp_path, yaml.safe_dump(entries)))
    assert registry.files["farl_ep64"].file == registry.files["mine"].file == "own.pth"
    assert registry.files["e4e_ffhq"] == shipped.files["e4e_ffhq"]
    assert registry.bundles == shipped.bundles
    assert set(registry.files) == {*shipped.files, "mine"}


def test_an_own_bundle_may_be_made_of_shipped_files(tmp_path: Path) -> None:
    text = "bundles: {mine: {about: ours, files: [stylegan2_ffhq512, farl_ep16]}}"
    registry = load_registry(own(tmp_path, text))
    assert registry.bundles["mine"].files == ("stylegan2_ffhq512", "farl_ep16")
    assert "ffhq1024" in registry.bundles


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("files: {mine: {file: a.pth}}", "files.mine.network"),
        (yaml.safe_dump({"files": {"mine": {**OWN_FILE, "hash": "x"}}}), "files.mine.hash"),
        (yaml.safe_dump({"files": {"mine": {**OWN_FILE, "file": "../own.pth"}}}), "files.mine.file"),
        (yaml.safe_dump({"files": {"mine": {**OWN_FILE, "file": ".own.pth"}}}), "files.mine.file"),
        (yaml.safe_dump({"files": {"mine": {**OWN_FILE, "sources": []}}}), "files.mine.sources"),
        (
            yaml.safe_dump({"files": {"mine": {**OWN_FILE, "sources": [{"url": "ftp://example.org/x"}]}}}),
            "files.mine.sources.0.url",
        ),
        (
            yaml.safe_dump({"files": {"mine": {**OWN_FILE, "sources": [{"url": "http://x/y", "sha256": "ab"}]}}}),
            "files.mine.sources.0.sha256",
        ),
        ("bundles: {mine: {about: ours, files: [nowhere]}}", "bundles.mine.files names nowhere"),
        ("bundles: {mine: {about: ours, files: [farl_ep16, farl_ep64]}}", "farl_ep16 and farl_ep64"),
        ("files: [a, b]", "files"),
        ("mirrors: {}", "mirrors"),
        ("- files", "files"),
        ("files: {a: [", "not readable as YAML"),
        ("", "files"),
    ],
)
def test_a_bad_registry_is_refused_in_one_line_that_names_the_key(tmp_path: Path, text: str, named: str) -> None:
    assert named in refusal(own(tmp_path, text))


def test_a_registry_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    refusal(tmp_path / "nowhere.yaml")
    refusal(tmp_path)
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x80")
    refusal(path)
