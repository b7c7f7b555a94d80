"""Prefect's world apart: what of the user's own, or of a planted file, reaches a run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.server import HOME, ServerError, prefect_world, set_apart

EVIL = "http://192.0.2.1/api"
SETTINGS = """
from pathlib import Path
from flows.server import set_apart
set_apart(Path({root!r}))
from prefect.settings import get_current_settings
settings = get_current_settings()
import logging.config
from prefect.logging.configuration import load_logging_config, setup_logging
setup_logging()
print(settings.api.url, settings.home, settings.logging.level, settings.server.analytics_enabled)
"""


@pytest.fixture(autouse=True)
def world_afterwards_as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    environment = dict(os.environ)
    os.environ.pop("PREFECT_API_URL", None)
    yield
    os.environ.clear()
    os.environ.update(environment)


def test_files_of_others_do_not_reach_prefect(tmp_path: Path) -> None:
    """Planted where a user calls falco, in the project, in its private folder and in the user's home."""
    root, home = tmp_path / "project", tmp_path / "home"
    (root / HOME).mkdir(parents=True)
    (home / ".prefect").mkdir(parents=True)
    code = "version: 1\nformatters: {f: {(): pathlib.Path.touch, self: {(): pathlib.Path, a: pwned}}}\n"
    for folder in (tmp_path, root, root / HOME, home / ".prefect"):
        (folder / ".env").write_text(f"PREFECT_API_URL={EVIL}\nPREFECT_LOGGING_LEVEL=DEBUG\n")
        (folder / "prefect.toml").write_text(f'[api]\nurl = "{EVIL}"\n')
        (folder / "profiles.toml").write_text(f'active = "x"\n[profiles.x]\nPREFECT_API_URL = "{EVIL}"\n')
        (folder / "logging.yml").write_text(code)
        for module in ("types", "uvicorn", "prefect", "dvc"):
            (folder / f"{module}.py").write_text("open('/tmp/pwned', 'w')\nraise SystemExit('planted code ran')\n")
    environment = {**os.environ, "HOME": str(home), "PREFECT_LOGGING_SETTINGS_PATH": str(root / HOME / "logging.yml")}
    environment |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "true", "PREFECT_API_DATABASE_CONNECTION_URL": "nowhere"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", SETTINGS.format(root=str(root))],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["None", str(root / HOME), "CRITICAL", "False"], done.stderr
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/api", "http://x:99999999/api", "no address", "http://[::1"])
def test_a_dead_server_is_one_line(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", url)
    with (
        pytest.raises(ServerError, match="PREFECT_API_URL names .* which does not answer") as error,
        prefect_world(tmp_path),
    ):
        pass
    assert str(error.value).isprintable()


def test_loopback_never_goes_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "example.org")
    set_apart(tmp_path)
    assert os.environ["NO_PROXY"].split(",") == ["example.org", "127.0.0.1", "localhost", "::1"]


def test_how_to_reach_a_named_server_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "k")
    monkeypatch.setenv("PREFECT_RESULTS_PERSIST_BY_DEFAULT", "true")
    set_apart(tmp_path)
    assert "PREFECT_API_KEY" not in os.environ
    monkeypatch.setenv("PREFECT_API_KEY", "k")
    monkeypatch.setenv("PREFECT_API_URL", "http://there/api")
    set_apart(tmp_path)
    assert (os.environ["PREFECT_API_KEY"], os.environ["PREFECT_API_URL"]) == ("k", "http://there/api")
    assert "PREFECT_RESULTS_PERSIST_BY_DEFAULT" not in os.environ


def test_a_server_of_ones_own_survives_proxies_and_a_foreign_database_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", "/proc")
    (tmp_path / HOME).mkdir(parents=True)
    (tmp_path / HOME / "prefect.db").write_bytes(b"of another program")
    with prefect_world(tmp_path):
        import httpx

        url = os.environ["PREFECT_API_URL"]
        assert httpx.get(f"{url}/admin/version", timeout=5).status_code == 401, (
            "others on this machine have no password"
        )
        user, _, password = os.environ["PREFECT_API_AUTH_STRING"].partition(":")
        assert httpx.get(f"{url}/admin/version", auth=(user, password), timeout=5).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health", timeout=5, trust_env=False)
