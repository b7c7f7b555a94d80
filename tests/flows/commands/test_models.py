"""`falco models`, from published files to a released dataset."""

import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from falco_core.bundles.bundle import load_bundle
from falco_core.bundles.catalogue import bundles_home
from flows.commands.main import main
from tests import artifacts
from tests.flows.runs import call

Falco = Callable[..., tuple[int, str, str]]


@pytest.fixture
def falco(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Falco:
    """Runs `falco ...` in this process: exit status, output, errors."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["falco", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err

    return run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FALCO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def options(files: dict[str, Path]) -> list[str | Path]:
    return [part for network, path in files.items() for part in (f"--{network}", path)]


@pytest.mark.slow
def test_published_files_become_a_bundle_that_anonymizes(
    official_files: dict[str, Path], demo_photos: Path, tmp_path: Path
) -> None:
    bundle, project, photos = tmp_path / "small64", tmp_path / "project", tmp_path / "photos"
    photos.mkdir()
    for name in ("beach.jpg", "open_sky.png"):
        (photos / name).write_bytes((demo_photos / name).read_bytes())
    done = call("falco", "models", "convert", *options(official_files), "--to", bundle, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert yaml.safe_load((bundle / "bundle.yaml").read_text())["name"] == "small64"
    # With random weights every face is noise and resembles every other.
    settings = ["anonymize.margin=1.0", "anonymize.margin_tolerance=1.0", "gate.min_detection_rate=0.0"]
    settings += ["sample.count=4", "anonymize.steps=2", "anonymize.attempts=1"]
    # A judge of random weights is none, and is refused as such.
    settings += ["judges.gate=[dlib]", "judges.audit=[]", "gate.allow_unknown=true"]
    chosen = [part for setting in settings for part in ("-S", setting)]
    done = call("falco", "run", photos, "--out", project, "--bundle", bundle, *chosen, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    faces = artifacts.items(project, artifacts.ANONYMIZED)
    assert faces and all(face.row.attempts[-1].steps == 2 for face in faces)
    released = [row.file for row in artifacts.outcomes(project) if row.file is not None]
    assert released, done.stdout
    for name in released:
        assert (project / "release/photos" / name).is_file()
    manifest = (project / "release/manifest.json").read_text()
    assert "small64" in manifest


def test_what_convert_needs_is_named(falco: Falco, official_files: dict[str, Path], tmp_path: Path) -> None:
    files = {network: path for network, path in official_files.items() if network != "heldout"}
    status, _, err = falco("models", "convert", *options(files), "--to", tmp_path / "x")
    assert (status, err) == (2, "falco: --heldout FILE is missing: `falco models list` says which file it is\n")


def test_a_bad_file_ends_in_one_line_and_no_bundle(
    falco: Falco, official_files: dict[str, Path], tmp_path: Path
) -> None:
    files = {**official_files, "farl": official_files["recogniser"]}
    status, _, err = falco("models", "convert", *options(files), "--to", tmp_path / "x")
    assert status == 2
    assert err.startswith(f"falco: {official_files['recogniser']} is no FaRL or CLIP") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_verify_says_what_is_broken(falco: Falco, converted_bundle: Path, tmp_path: Path) -> None:
    status, out, _ = falco("models", "verify", converted_bundle, "mini")
    assert status == 0
    assert "BROKEN" not in out and "mini together" in out
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in converted_bundle.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    with (broken / "farl.safetensors").open("r+b") as file:
        file.seek(2000)
        file.write(b"\xff\xff")
    status, out, _ = falco("models", "verify", broken)
    assert status == 1
    lines = [line for line in out.splitlines() if line.startswith("BROKEN")]
    assert len(lines) == 1 and "farl.safetensors is damaged" in lines[0]
    assert "together" not in out


@pytest.fixture
def served(official_files: dict[str, Path]) -> Iterator[tuple[str, list[str]]]:
    """The official files on a loopback server: its address, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            asked.append(self.path)

    handler = partial(Handler, directory=str(next(iter(official_files.values())).parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def registry(path: Path, files: dict[str, Path], address: str, *, unknown: str = "") -> Path:
    entries = {}
    for network, file in files.items():
        digest = None if network == unknown else hashlib.sha256(file.read_bytes()).hexdigest()
        entries[f"small_{network}"] = {
            "file": file.name,
            "network": network,
            "about": "random weights",
            "licence": f"Licence of {network}",
            "licence_url": "https://example.org/licence",
            "sources": [{"url": f"{address}/{file.name}", "sha256": digest}],
        }
    bundles = {"small": {"about": "random weights", "files": list(entries)}}
    path.write_text(yaml.safe_dump({"files": entries, "bundles": bundles}))
    return path


def test_fetch_asks_for_the_licences_first(
    falco: Falco, home: Path, served: tuple[str, list[str]], official_files: dict[str, Path], tmp_path: Path
) -> None:
    address, asked = served
    own = registry(tmp_path / "registry.yaml", official_files, address)
    status, out, err = falco("models", "fetch", "small", "--registry", own)
    assert status == 2 and "--accept-licence" in err
    assert all(f"Licence of {network} (https://example.org/licence)" in out for network in official_files)
    assert asked == [] and not home.exists()


def test_a_fetched_bundle_is_found_by_its_name(
    falco: Falco, home: Path, served: tuple[str, list[str]], official_files: dict[str, Path], tmp_path: Path
) -> None:
    address, asked = served
    own = registry(tmp_path / "registry.yaml", official_files, address)
    assert "falco models fetch small" in falco("models", "list", "--registry", own)[1]
    status, _, err = falco("models", "fetch", "small", "--registry", own, "--accept-licence")
    assert status == 0, err
    assert len(asked) == len(official_files)
    spec = load_bundle("small").spec
    assert spec.name == "small" and "farl: Licence of farl" in spec.licence
    listed = falco("models", "list", "--registry", own)[1]
    assert "small        ready" in listed and "fetch small" not in listed
    assert [path.name for path in home.iterdir()] == [bundles_home().name]
    status, _, err = falco("models", "fetch", "small", "--registry", own, "--accept-licence")
    assert status == 2 and "exists" in err


def test_what_cannot_be_fetched_safely_is_left_to_the_user(
    falco: Falco, home: Path, served: tuple[str, list[str]], official_files: dict[str, Path], tmp_path: Path
) -> None:
    own = registry(tmp_path / "registry.yaml", official_files, served[0], unknown="heldout")
    status, _, err = falco("models", "fetch", "small", "--registry", own, "--accept-licence")
    assert status == 2 and err.strip().count("\n") == 0
    assert official_files["heldout"].name in err and f"/{official_files['heldout'].name}" not in served[1]
    command = err.split("falco models convert ", 1)[1].split()
    mended = [str(official_files["heldout"]) if part == official_files["heldout"].name else part for part in command]
    status, _, err = falco("models", "convert", *mended)
    assert status == 0, err
    assert load_bundle("small").spec.name == "small"
