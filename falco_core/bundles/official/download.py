"""Fetching published files: resumed where it broke off, and never kept unless the digest is right."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from falco_core.bundles.catalogue import sha256_of
from falco_core.bundles.official.registry import Source, UpstreamFile
from falco_core.bundles.official.unpack import require_space, unpack_member
from falco_core.errors import FetchError

TIMEOUT = httpx.Timeout(30.0)
LONGEST_PAUSE = 60.0

Progress = Callable[[int, int | None], None]
"""Is told how many bytes there are so far, and how many there will be if that is known."""


def obtain(
    upstream: UpstreamFile,
    folder: Path,
    *,
    progress: Progress | None = None,
    attempts: int = 5,
    pause: float = 1.0,
) -> Path:
    """The published file in `folder`, from the first of its sources that has it; a checked one is not fetched again.

    A tar is removed once its file is out; until then it is kept, so that a next call need not download it again.
    Raises FetchError in one line: if a file of that name is there that is not the published one, or with the reason
    of each source if none has it. `attempts` and `pause` are `download`'s.
    """
    target = folder / upstream.file
    if target.exists():
        _check_obtained(upstream, target)
        _remove_leftovers(upstream, target)
        return target
    reasons = []
    for source in upstream.sources:
        try:
            _take(source, target, progress, attempts, pause)
        except FetchError as error:
            reasons.append(str(error))
        else:
            _remove_leftovers(upstream, target)
            return target
    raise FetchError(
        f"{upstream.file} cannot be had ({'; '.join(reasons)}): "
        "download it by hand and give it to `falco models convert`"
    )


def download(
    url: str,
    target: Path,
    *,
    sha256: str,
    progress: Progress | None = None,
    attempts: int = 5,
    pause: float = 1.0,
) -> None:
    """Download to `target`, which is there only once all of it is, with the right digest.

    What an earlier call that broke off has left is resumed. A connection that breaks is taken up again after `pause`
    seconds, and after twice as long each time that brings nothing new; `attempts` of these in a row are the end.
    A `target` with the right digest is left as it is. Raises FetchError in one line that names the file or address.
    """
    if target.exists():
        if (found := sha256_of(target)) != sha256:
            raise FetchError(f"{target} is there, but is another file or damaged ({_differ(found, sha256)}): remove it")
        return
    transfer = _Transfer(url, _partial_of(target), sha256, progress or _ignore)
    # What is left of an earlier call may be of another mirror or edition: that is no reason to give up.
    for _ in range(1 + (transfer.held() > 0)):
        _complete(transfer, attempts, pause)
        found = sha256_of(transfer.partial)
        if found == sha256:
            transfer.partial.replace(target)
            return
        transfer.partial.unlink()
    raise FetchError(f"{url} sends another file than the registry says ({_differ(found, sha256)})")


class _Interrupted(Exception):
    """The transfer ended before its end; asking again may help."""


@dataclass
class _Transfer:
    """A download under way; its state is the partial file, and the server's tag of what that is a part of."""

    url: str
    partial: Path
    sha256: str
    progress: Progress
    etag: str | None = None

    def held(self) -> int:
        """Bytes so far."""
        return self.partial.stat().st_size if self.partial.exists() else 0

    def request(self, client: httpx.Client) -> None:
        """Ask once for what is missing; raises _Interrupted or httpx.TransportError if asking again may help."""
        held = self.held()
        with client.stream("GET", self.url, headers=self._headers(held)) as response:
            if not (held and _cannot_continue(response, held)):
                self._receive(response, held)
                return
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and self._is_whole():
            return
        self.partial.unlink()
        self.request(client)

    def _headers(self, held: int) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if held:
            headers["Range"] = f"bytes={held}-"
            if self.etag:
                headers["If-Range"] = self.etag
        return headers

    def _receive(self, response: httpx.Response, held: int) -> None:
        _refuse_failure(self.url, response)
        first, total = _extent(response)
        if first not in (0, held):
            raise FetchError(f"{self.url} answers with a part that was not asked for")
        self.partial.parent.mkdir(parents=True, exist_ok=True)
        if total is not None:
            require_space(self.partial.parent, total - held, self.url)
        tag = response.headers.get("ETag", "")
        self.etag = tag if tag.startswith('"') else None
        done = self._write(response, first, total)
        if total is not None and done < total:
            raise _Interrupted(f"the connection ended after {done} of {total} bytes")

    def _write(self, response: httpx.Response, done: int, total: int | None) -> int:
        with self.partial.open("ab" if done else "wb") as file:
            self.progress(done, total)
            # As it comes: chunks of a fixed size would lose what a broken connection has brought of the last one.
            for chunk in response.iter_raw():
                file.write(chunk)
                done += len(chunk)
                self.progress(done, total)
        return done

    def _is_whole(self) -> bool:
        return sha256_of(self.partial) == self.sha256


def _complete(transfer: _Transfer, attempts: int, pause: float) -> None:
    """Ask until all is there; attempts count while they bring no more than was there before."""
    most, failures = transfer.held(), 0
    with httpx.Client(follow_redirects=True, timeout=TIMEOUT) as client:
        while True:
            try:
                return transfer.request(client)
            except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.InvalidURL, OSError) as error:
                raise FetchError(f"{transfer.url}: {_reason(error)}") from None
            except (_Interrupted, httpx.TransportError) as error:
                failures = 0 if transfer.held() > most else failures + 1
                most = max(most, transfer.held())
                if failures >= attempts:
                    raise FetchError(f"{transfer.url}: {_reason(error)} ({attempts} attempts)") from None
            time.sleep(min(pause * 2**failures, LONGEST_PAUSE))


def _cannot_continue(response: httpx.Response, held: int) -> bool:
    """Whether the server has no part that follows on the bytes held."""
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        return True
    return response.status_code == httpx.codes.PARTIAL_CONTENT and _extent(response)[0] != held


def _refuse_failure(url: str, response: httpx.Response) -> None:
    status = response.status_code
    if response.is_server_error:
        raise _Interrupted(f"the server answers {status} {response.reason_phrase}")
    if status not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        raise FetchError(f"{url}: the server answers {status} {response.reason_phrase}")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise FetchError(f"{url} is sent only compressed, so its digest cannot be checked")


def _extent(response: httpx.Response) -> tuple[int, int | None]:
    """Where the body starts in the file, -1 if the server does not say, and bytes of the whole file if known."""
    length = response.headers.get("Content-Length", "")
    size = int(length) if length.isdigit() else None
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return 0, size
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if match is None:
        return -1, None
    first = int(match[1])
    return first, int(match[2]) if match[2] != "*" else first + size if size is not None else None


class _Origin(BaseModel):
    """Kept beside an unpacked file: only its tar has a published digest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    archive_sha256: str


def _take(source: Source, target: Path, progress: Progress | None, attempts: int, pause: float) -> None:
    if source.sha256 is None:
        raise FetchError(f"{source.url}: no digest of it is published, so falco does not download it by itself")
    if source.member is None:
        download(source.url, target, sha256=source.sha256, progress=progress, attempts=attempts, pause=pause)
        return
    archive = _archive_of(source.sha256, target)
    download(source.url, archive, sha256=source.sha256, progress=progress, attempts=attempts, pause=pause)
    unpacked = _unpacked_of(target)
    try:
        unpack_member(archive, source.member, unpacked)
    except FetchError as error:
        raise FetchError(f"{source.url}: {error}") from None
    origin = _Origin(sha256=sha256_of(unpacked), archive_sha256=source.sha256)
    _origin_of(target).write_text(origin.model_dump_json(), encoding="utf-8")
    unpacked.replace(target)


def _check_obtained(upstream: UpstreamFile, target: Path) -> None:
    found = sha256_of(target)
    if any(found == source.sha256 for source in upstream.sources if source.member is None):
        return
    try:
        origin = _Origin.model_validate_json(_origin_of(target).read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, ValidationError):
        origin = None
    archives = {source.sha256 for source in upstream.sources if source.member is not None}
    if origin is None or origin.sha256 != found or origin.archive_sha256 not in archives:
        raise FetchError(
            f"{target} is there, but is damaged or not from the registry's sources: remove it to fetch it again, "
            "or give it to `falco models convert`"
        )


def _remove_leftovers(upstream: UpstreamFile, target: Path) -> None:
    _partial_of(target).unlink(missing_ok=True)
    _unpacked_of(target).unlink(missing_ok=True)
    for source in upstream.sources:
        if source.member is not None and source.sha256 is not None:
            archive = _archive_of(source.sha256, target)
            archive.unlink(missing_ok=True)
            _partial_of(archive).unlink(missing_ok=True)


def _archive_of(sha256: str, target: Path) -> Path:
    return target.with_name(f"archive-{sha256[:16]}.tar")


def _unpacked_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.unpacked")


def _origin_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.origin.json")


def _partial_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def _differ(found: str, expected: str) -> str:
    return f"sha256 {found[:12]}…, expected {expected[:12]}…"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _ignore(done: int, total: int | None) -> None:
    pass
