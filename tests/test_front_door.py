"""The front door, and the examples that use it."""

import importlib.util
import threading
import urllib.error
import urllib.request
from io import BytesIO
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from falco_core.anonymizer import Anonymizer
from falco_core.errors import ParamsError
from falco_core.photos.codec import decode_photo
from tests.tasks.leaks import shown

EXAMPLES = Path(__file__).parents[1] / "examples"
SETTINGS = {"sample.count": 12, "anonymize.steps": 10, "anonymize.attempts": 2}


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def anonymizer() -> Anonymizer:
    return Anonymizer("mini", SETTINGS)


@pytest.fixture(scope="module")
def small(demo_photos: Path) -> bytes:
    return (demo_photos / "office_window.png").read_bytes()


def test_every_face_of_a_photo_is_drawn_over_and_nothing_else_changes(anonymizer: Anonymizer, small: bytes) -> None:
    result = anonymizer.photo(small)
    assert result.data is not None, result
    assert result.format == "PNG"
    assert result.checks
    before, after = shown(small).astype(int), shown(result.data).astype(int)
    changed = np.abs(before - after).max(axis=2) > 0
    heads = np.zeros_like(changed)
    for check in result.checks:
        x0, y0, x1, y1 = (round(edge) for edge in check.box)
        width, height = x1 - x0, y1 - y0
        assert changed[y0 + height // 3 : y1 - height // 3, x0 + width // 3 : x1 - width // 3].mean() > 0.9
        heads[max(0, y0 - height) : y1 + height, max(0, x0 - width) : x1 + width] = True
    assert not changed[~heads].any()
    assert anonymizer.photo(small).data == result.data


def test_what_cannot_be_made_safe_is_withheld_with_its_reason(anonymizer: Anonymizer) -> None:
    assert anonymizer.photo(b"").reason == "empty_file"
    assert anonymizer.photo(b"no photo").reason == "undecodable"
    assert anonymizer.photo(b"no photo").data is None


def test_settings_are_those_of_params_yaml() -> None:
    with pytest.raises(ParamsError, match=r"anonymize\.marginn: unknown key"):
        Anonymizer("mini", {"anonymize.marginn": 0})


def test_the_example_for_a_folder(
    anonymizer: Anonymizer,
    small: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "photos/deep").mkdir(parents=True)
    (tmp_path / "photos/deep/a.png").write_bytes(small)
    (tmp_path / "photos/broken.jpg").write_bytes(b"no photo")
    Image.open(BytesIO(small)).convert("P").save(tmp_path / "photos/b.gif")
    folder = example("folder")
    monkeypatch.setattr(folder, "Anonymizer", lambda *_: anonymizer)
    folder.main(str(tmp_path / "photos"), str(tmp_path / "out"))
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert written == ["b.gif.png", "deep/a.png"]
    assert Image.open(tmp_path / "out/b.gif.png").format == "PNG"
    assert "withheld: broken.jpg: undecodable" in capsys.readouterr().out


def test_the_example_for_one_photo(
    anonymizer: Anonymizer, small: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = example("one_photo")
    monkeypatch.setattr(one, "Anonymizer", lambda *_: anonymizer)
    (tmp_path / "a.png").write_bytes(small)
    one.main(str(tmp_path / "a.png"), str(tmp_path / "b.png"))
    assert (tmp_path / "b.png").read_bytes() == anonymizer.photo(small).data


def test_the_example_for_uploads(anonymizer: Anonymizer, small: bytes) -> None:
    server = example("upload").server(0, anonymizer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        with opener.open(address, data=small) as answer:
            assert answer.headers["Content-Type"] == "image/png"
            data = answer.read()
        assert decode_photo(data, max_pixels=10**8).pixels.shape == decode_photo(small, max_pixels=10**8).pixels.shape
        with pytest.raises(urllib.error.HTTPError, match="422"):
            opener.open(address, data=b"no photo")
    finally:
        server.shutdown()
        server.server_close()


def test_the_example_for_pytorch(anonymizer: Anonymizer, small: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(small)
    (tmp_path / "b.png").write_bytes(b"no photo")
    dataset = example("torch_dataset").AnonymizedFolder(tmp_path, anonymizer)
    assert len(dataset) == 2
    assert dataset[0].shape[1:] == shown(small).shape[:2]
    assert dataset[1].shape == (3, 1, 1)
