import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from falco_core.bundles.official.download import download, obtain
from falco_core.bundles.official.registry import UpstreamFile
from falco_core.errors import FetchError
from tests.falco_core.bundles.official.loopback import Loopback, Served, and_then, loopback
from tests.falco_core.bundles.official.test_unpack import regular, special, tar_of

CONTENT = bytes(range(256)) * 400
SIZE = len(CONTENT)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def site() -> Iterator[Loopback]:
    with loopback() as server:
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "model.pth"


def fetch(url: str, target: Path, **options: Any) -> None:
    download(url, target, **{"sha256": digest(CONTENT), "pause": 0.0, **options})


def refusal(url: str, target: Path, **options: Any) -> str:
    with pytest.raises(FetchError) as caught:
        fetch(url, target, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def leave(target: Path, content: bytes) -> None:
    """What a download that was killed has left."""
    target.parent.mkdir(exist_ok=True)
    partial(target).write_bytes(content)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_a_file_is_downloaded_and_its_progress_told(site: Loopback, target: Path) -> None:
    told: list[tuple[int, int | None]] = []
    fetch(site.serve("/a", CONTENT), target, progress=lambda done, total: told.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert files(target.parent) == {target.name}
    assert (told[0], told[-1]) == ((0, SIZE), (SIZE, SIZE))
    assert told == sorted(told)


def test_connections_that_break_again_and_again_are_taken_up(site: Loopback, target: Path) -> None:
    fetch(site.serve("/a", CONTENT, drop_after=SIZE // 9), target, attempts=2)
    assert target.read_bytes() == CONTENT
    assert site.sent("/a") == SIZE
    assert site.asked("/a")[:3] == [None, f"bytes={SIZE // 9}-", f"bytes={2 * (SIZE // 9)}-"]
    assert site.requests[1].if_range == '"one"'


def test_a_server_without_ranges_starts_anew(site: Loopback, target: Path) -> None:
    site.files["/a"] = and_then(Served(CONTENT, ranges=False, drop_after=9000), Served(CONTENT, ranges=False))
    fetch(f"{site.address}/a", target)
    assert target.read_bytes() == CONTENT
    assert site.sent("/a") == 9000 + SIZE


def test_attempts_count_while_nothing_new_comes(site: Loopback, target: Path) -> None:
    url = site.serve("/a", CONTENT, ranges=False, drop_after=9000)
    assert "3 attempts" in refusal(url, target, attempts=3)
    assert len(site.requests) == 1 + 3
    assert files(target.parent) == {partial(target).name}


def test_attempts_end_even_if_the_connection_breaks_now_earlier_now_later(site: Loopback, target: Path) -> None:
    early, late = Served(CONTENT, ranges=False, drop_after=5000), Served(CONTENT, ranges=False, drop_after=9000)
    site.files["/a"] = and_then(*[early, late] * 10)
    refusal(f"{site.address}/a", target, attempts=3)
    assert len(site.requests) == 2 + 3


def test_a_server_that_sends_no_more_than_a_part_at_a_time_is_asked_for_all(site: Loopback, target: Path) -> None:
    site.files["/a"] = and_then(Served(CONTENT, drop_after=9000), Served(CONTENT, part=30000))
    fetch(f"{site.address}/a", target)
    assert target.read_bytes() == CONTENT
    assert site.sent("/a") == SIZE


def test_a_part_that_was_not_asked_for_is_refused(site: Loopback, target: Path) -> None:
    assert "not asked for" in refusal(site.serve("/a", CONTENT, status=206, says_range=False), target)
    assert len(site.requests) == 1


def test_files_are_asked_for_and_taken_only_as_they_are(site: Loopback, target: Path) -> None:
    assert "compressed" in refusal(site.serve("/a", CONTENT, encoding="gzip"), target)
    assert site.requests[0].encoding == "identity"
    assert files(target.parent) == set()


def test_a_folder_that_cannot_be_written_to_is_named(site: Loopback, target: Path) -> None:
    target.parent.write_bytes(b"a file, no folder")
    assert str(target.parent) in refusal(site.serve("/a", CONTENT), target)


def test_a_file_that_changes_underway_is_not_glued_together(site: Loopback, target: Path) -> None:
    old = Served(b"old" * 40000, tag='"old"', drop_after=9000)
    site.files["/a"] = and_then(old, Served(CONTENT, tag='"new"'))
    fetch(f"{site.address}/a", target)
    assert target.read_bytes() == CONTENT
    assert site.requests[1].if_range == '"old"'
    assert len(site.requests) == 2


def test_a_weak_tag_is_not_used_for_resuming(site: Loopback, target: Path) -> None:
    site.files["/a"] = and_then(Served(CONTENT, tag='W/"one"', drop_after=9000), Served(CONTENT))
    fetch(f"{site.address}/a", target)
    assert (site.requests[1].range, site.requests[1].if_range) == ("bytes=9000-", None)


def test_only_the_rest_of_what_an_earlier_call_left_is_asked_for(site: Loopback, target: Path) -> None:
    def stop(done: int, total: int | None) -> None:
        if done >= 9000:
            raise KeyboardInterrupt

    url = site.serve("/a", CONTENT, drop_after=9000)
    with pytest.raises(KeyboardInterrupt):
        fetch(url, target, progress=stop)
    assert files(target.parent) == {partial(target).name}
    assert partial(target).read_bytes() == CONTENT[:9000]

    site.requests.clear()
    told: list[int] = []
    fetch(site.serve("/a", CONTENT), target, progress=lambda done, total: told.append(done))
    assert target.read_bytes() == CONTENT
    assert site.asked("/a") == ["bytes=9000-"]
    assert site.sent("/a") == SIZE - 9000
    assert told[0] == 9000


def test_a_killed_process_is_continued(site: Loopback, target: Path) -> None:
    url = site.serve("/a", CONTENT, drop_after=9000)
    code = (
        "import sys, time; from pathlib import Path; from falco_core.bundles.official.download import download\n"
        "download(sys.argv[1], Path(sys.argv[2]), sha256=sys.argv[3], attempts=99, pause=99.0)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, url, str(target), digest(CONTENT)])
    try:
        deadline = time.monotonic() + 60
        while not (partial(target).exists() and partial(target).stat().st_size):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert files(target.parent) == {partial(target).name}

    site.requests.clear()
    fetch(site.serve("/a", CONTENT), target)
    assert target.read_bytes() == CONTENT
    assert site.sent("/a") == SIZE - 9000


def test_a_partial_file_that_is_whole_needs_no_more_bytes(site: Loopback, target: Path) -> None:
    leave(target, CONTENT)
    fetch(site.serve("/a", CONTENT), target)
    assert target.read_bytes() == CONTENT
    assert site.sent("/a") == 0


@pytest.mark.parametrize("left", [b"x" * (SIZE + 9), b"x" * SIZE, b"x" * 9000], ids=["longer", "as long", "shorter"])
def test_a_stale_partial_file_is_given_up(site: Loopback, target: Path, left: bytes) -> None:
    leave(target, left)
    fetch(site.serve("/a", CONTENT), target, attempts=1)
    assert target.read_bytes() == CONTENT
    assert files(target.parent) == {target.name}


def test_a_part_from_elsewhere_is_not_appended(site: Loopback, target: Path) -> None:
    leave(target, CONTENT[:9000])
    fetch(site.serve("/a", CONTENT, wrong_start=True), target, attempts=1)
    assert target.read_bytes() == CONTENT
    assert site.asked("/a") == ["bytes=9000-", None]


def test_a_wrong_file_leaves_nothing(site: Loopback, target: Path) -> None:
    url = site.serve("/a", b"another file")
    message = refusal(url, target)
    assert url in message
    assert digest(CONTENT)[:12] in message
    assert files(target.parent) == set()
    assert len(site.requests) == 1


def test_a_wrong_file_after_a_stale_part_leaves_nothing(site: Loopback, target: Path) -> None:
    leave(target, CONTENT[:5])
    refusal(site.serve("/a", b"another file"), target)
    assert files(target.parent) == set()
    assert site.asked("/a") == ["bytes=5-", None]


def test_a_truncated_file_is_not_taken_for_the_whole(site: Loopback, target: Path) -> None:
    refusal(site.serve("/a", CONTENT[:-1]), target)
    assert files(target.parent) == set()


def test_an_answer_shorter_than_it_says_is_a_broken_connection(site: Loopback, target: Path) -> None:
    url = site.serve("/a", CONTENT, ranges=False, drop_after=SIZE - 1)
    assert "2 attempts" in refusal(url, target, attempts=2)
    assert not target.exists()


def test_an_answer_without_a_length_is_judged_by_its_digest(site: Loopback, target: Path) -> None:
    told: list[int | None] = []
    url = site.serve("/a", CONTENT, says_length=False)
    fetch(url, target, progress=lambda done, total: told.append(total))
    assert target.read_bytes() == CONTENT
    assert set(told) == {None}


def test_a_client_error_is_final(site: Loopback, target: Path) -> None:
    assert "404 Not Found" in refusal(f"{site.address}/nowhere", target)
    assert len(site.requests) == 1
    assert files(target.parent) == set()


def test_the_partial_file_outlives_a_client_error(site: Loopback, target: Path) -> None:
    leave(target, CONTENT[:9000])
    refusal(f"{site.address}/nowhere", target)
    assert partial(target).read_bytes() == CONTENT[:9000]


def test_a_server_that_is_overloaded_for_a_while_is_asked_again(site: Loopback, target: Path) -> None:
    busy = Served(status=503)
    site.files["/a"] = and_then(busy, busy, Served(CONTENT))
    fetch(f"{site.address}/a", target, attempts=3)
    assert target.read_bytes() == CONTENT


def test_a_server_that_stays_overloaded_is_given_up(site: Loopback, target: Path) -> None:
    assert "503" in refusal(site.serve("/a", status=503), target, attempts=3)
    assert len(site.requests) == 3


def test_pauses_grow_and_shrink_with_the_luck(site: Loopback, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    busy = Served(status=500)
    site.files["/a"] = and_then(busy, busy, Served(CONTENT, drop_after=9000), busy, Served(CONTENT))
    fetch(f"{site.address}/a", target, pause=1.0)
    assert pauses == [2.0, 4.0, 1.0, 2.0]


def test_a_server_that_is_not_there_is_named(site: Loopback, target: Path) -> None:
    with loopback() as gone:
        url = f"{gone.address}/a"
    assert url in refusal(url, target, attempts=2)


def test_redirects_are_followed_and_resumed_behind(site: Loopback, target: Path) -> None:
    site.serve("/real", CONTENT, drop_after=SIZE // 2)
    fetch(site.serve("/a", location="/real"), target)
    assert target.read_bytes() == CONTENT
    assert site.sent("/real") == SIZE


def test_redirects_in_a_circle_end_at_once(site: Loopback, target: Path) -> None:
    refusal(site.serve("/a", location="/a"), target)
    assert len(site.requests) < 50


def test_a_redirect_to_another_protocol_is_refused(site: Loopback, target: Path) -> None:
    refusal(site.serve("/a", location="ftp://127.0.0.1/model.pth"), target)
    assert len(site.requests) == 1


def test_too_large_a_file_is_refused_before_it_fills_the_disk(
    site: Loopback, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=SIZE - 9001)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    url = site.serve("/a", CONTENT)
    assert "make room" in refusal(url, target)
    assert files(target.parent) == set()
    leave(target, CONTENT[:9000])
    assert "make room" in refusal(url, target)
    leave(target, CONTENT[:9001])
    fetch(url, target)


def test_a_right_file_is_not_downloaded_again(site: Loopback, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    fetch(site.serve("/a", CONTENT), target)
    assert site.requests == []


def test_another_file_in_its_place_is_named_and_kept(site: Loopback, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"the user's")
    assert str(target) in refusal(site.serve("/a", CONTENT), target)
    assert target.read_bytes() == b"the user's"
    assert site.requests == []


def upstream(*sources: dict[str, Any]) -> UpstreamFile:
    return UpstreamFile.model_validate(
        {
            "file": "model.pth",
            "network": "generator",
            "about": "a test",
            "licence": "none",
            "licence_url": "https://example.org/",
            "sources": sources,
        }
    )


def direct(url: str, content: bytes = CONTENT) -> dict[str, Any]:
    return {"url": url, "sha256": digest(content)}


def packed(url: str, archive: bytes, member: str = "models/model.pth") -> dict[str, Any]:
    return {"url": url, "sha256": digest(archive), "member": member}


ARCHIVE = tar_of(regular("models/other.pth", b"other"), regular("models/model.pth", CONTENT), mode="w:gz")


def get(file: UpstreamFile, folder: Path) -> Path:
    return obtain(file, folder, attempts=2, pause=0.0)


def failure(file: UpstreamFile, folder: Path) -> str:
    with pytest.raises(FetchError) as caught:
        get(file, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_mirrors_are_tried_in_order(site: Loopback, tmp_path: Path) -> None:
    wrong, good, unused = site.serve("/wrong", b"?"), site.serve("/good", CONTENT), site.serve("/unused", CONTENT)
    file = upstream(direct(f"{site.address}/gone"), direct(wrong), direct(good), direct(unused))
    assert get(file, tmp_path).read_bytes() == CONTENT
    assert [request.path for request in site.requests] == ["/gone", "/wrong", "/good"]
    assert files(tmp_path) == {"model.pth"}


def test_a_mirror_goes_on_where_another_broke_off(site: Loopback, tmp_path: Path) -> None:
    breaking = and_then(Served(CONTENT, drop_after=9000), Served(status=500))
    site.files["/breaks"] = breaking
    file = upstream(direct(f"{site.address}/breaks"), direct(site.serve("/good", CONTENT)))
    assert get(file, tmp_path).read_bytes() == CONTENT
    assert site.sent("/good") == SIZE - 9000


def test_a_source_without_a_digest_is_never_asked(site: Loopback, tmp_path: Path) -> None:
    url = site.serve("/a", CONTENT)
    message = failure(upstream({"url": url}), tmp_path)
    assert url in message
    assert "digest" in message
    assert site.requests == []
    assert files(tmp_path) == set()


def test_if_nobody_has_the_file_each_reason_is_told(site: Loopback, tmp_path: Path) -> None:
    gone, wrong = f"{site.address}/gone", site.serve("/wrong", b"?")
    message = failure(upstream(direct(gone), direct(wrong), {"url": "https://example.org/x"}), tmp_path)
    assert message.startswith("model.pth")
    assert re.search(f"{gone}: .*404.*{wrong} sends another file.*https://example.org/x: no digest", message)
    assert "falco models convert" in message
    assert files(tmp_path) == set()


def test_a_file_is_unpacked_from_its_tar_once(site: Loopback, tmp_path: Path) -> None:
    file = upstream(packed(site.serve("/a.tar", ARCHIVE), ARCHIVE))
    assert get(file, tmp_path) == tmp_path / "model.pth"
    assert (tmp_path / "model.pth").read_bytes() == CONTENT
    assert files(tmp_path) == {"model.pth", ".model.pth.origin.json"}
    assert get(file, tmp_path) == tmp_path / "model.pth"
    assert len(site.requests) == 1


@pytest.mark.parametrize("sidecar", [None, b"", b"\xff", b'{"sha256": 1}'])
def test_a_damaged_or_unknown_file_is_noticed(site: Loopback, tmp_path: Path, sidecar: bytes | None) -> None:
    file = upstream(packed(site.serve("/a.tar", ARCHIVE), ARCHIVE))
    path, origin = get(file, tmp_path), tmp_path / ".model.pth.origin.json"
    if sidecar is None:
        path.write_bytes(CONTENT[:-1] + b"?")
    else:
        origin.write_bytes(sidecar)
    assert str(path) in failure(file, tmp_path)
    assert path.exists()
    path.unlink()
    assert get(file, tmp_path).read_bytes() == CONTENT


def test_a_file_from_a_tar_that_the_registry_no_longer_names_is_noticed(site: Loopback, tmp_path: Path) -> None:
    get(upstream(packed(site.serve("/a.tar", ARCHIVE), ARCHIVE)), tmp_path)
    newer = tar_of(regular("models/model.pth", b"newer"))
    failure(upstream(packed(site.serve("/b.tar", newer), newer)), tmp_path)


def test_a_file_that_was_put_there_by_hand_is_taken_if_it_is_right(site: Loopback, tmp_path: Path) -> None:
    (tmp_path / "model.pth").write_bytes(CONTENT)
    file = upstream(packed(f"{site.address}/a.tar", ARCHIVE), direct(f"{site.address}/a"))
    assert get(file, tmp_path).read_bytes() == CONTENT
    assert site.requests == []


def test_a_tar_that_broke_off_is_cleared_away_once_a_mirror_has_the_file(site: Loopback, tmp_path: Path) -> None:
    site.files["/a.tar"] = and_then(Served(ARCHIVE, drop_after=50), Served(status=404))
    file = upstream(packed(f"{site.address}/a.tar", ARCHIVE), direct(site.serve("/a", CONTENT)))
    (tmp_path / "model.pth.unpacked").write_bytes(b"of a process that was killed")
    assert get(file, tmp_path).read_bytes() == CONTENT
    assert files(tmp_path) == {"model.pth"}


def test_a_file_that_broke_off_is_cleared_away_once_a_tar_has_it(site: Loopback, tmp_path: Path) -> None:
    site.files["/a"] = and_then(Served(CONTENT, drop_after=50), Served(status=404))
    file = upstream(direct(f"{site.address}/a"), packed(site.serve("/a.tar", ARCHIVE), ARCHIVE))
    assert get(file, tmp_path).read_bytes() == CONTENT
    assert files(tmp_path) == {"model.pth", ".model.pth.origin.json"}


def test_a_tar_is_kept_while_it_is_not_unpacked(
    site: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = upstream(packed(site.serve("/a.tar", ARCHIVE), ARCHIVE))
    room = shutil.disk_usage(tmp_path)._replace(free=len(ARCHIVE))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: room)
        assert "make room" in failure(file, tmp_path)
    assert get(file, tmp_path).read_bytes() == CONTENT
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    "bad",
    [
        regular("/evil.pth", b"evil"),
        regular("../evil.pth", b"evil"),
        special("evil.pth", b"2", "../../secret"),
        special("evil.pth", b"1", "/etc/passwd"),
        special("evil.pth", b"3"),
    ],
    ids=["absolute", "parent", "symlink", "hardlink", "device"],
)
def test_nothing_of_a_malicious_tar_is_unpacked(site: Loopback, tmp_path: Path, bad: Any) -> None:
    archive = tar_of(regular("models/model.pth", CONTENT), bad)
    file = upstream(packed(site.serve("/a.tar", archive), archive))
    folder = tmp_path / "outside" / "folder"
    message = failure(file, folder)
    assert "evil.pth" in message
    found = [path for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()]
    assert [path.read_bytes() for path in found] == [archive]


def test_a_malicious_tar_does_not_keep_a_mirror_from_being_tried(site: Loopback, tmp_path: Path) -> None:
    archive = tar_of(regular("models/model.pth", b"evil"), regular("../evil.pth", b"evil"))
    file = upstream(packed(site.serve("/a.tar", archive), archive), direct(site.serve("/a", CONTENT)))
    assert get(file, tmp_path).read_bytes() == CONTENT
    assert files(tmp_path) == {"model.pth"}
