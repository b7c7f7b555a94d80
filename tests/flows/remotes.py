"""Remotes for tests: two folders, or two buckets of an S3 server on loopback."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import boto3

from tests.flows.runs import call

NAMES = ("private", "public")


@dataclass(frozen=True)
class Remotes:
    """Where the remotes called private and public lie: folders, or buckets of `endpoint`."""

    urls: dict[str, str]
    endpoint: str | None = None

    def name_in(self, project: Path) -> None:
        """Tell a project, as docs/operations-remotes.md does."""
        for name, url in self.urls.items():
            checked("dvc", "remote", "modify", name, "url", url, cwd=project)
            if self.endpoint is not None:
                checked("dvc", "remote", "modify", name, "endpointurl", self.endpoint, cwd=project)

    def files(self, name: str) -> dict[str, bytes]:
        """Everything that a remote holds."""
        if self.endpoint is not None:
            bucket = boto3.resource("s3", endpoint_url=self.endpoint).Bucket(self.urls[name].split("/")[2])
            return {each.key: each.get()["Body"].read() for each in bucket.objects.all()}
        root = Path(self.urls[name])
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def objects(self, name: str) -> set[str]:
        """The md5 of everything that a remote holds; everything in it is an object."""
        found = {"".join(key.split("files/md5/")[-1].split("/")): data for key, data in self.files(name).items()}
        assert all(hashlib.md5(data).hexdigest() == md5.removesuffix(".dir") for md5, data in found.items())
        return set(found)


def checked(*command: str | Path, cwd: Path) -> str:
    done = call(*command, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def folders(root: Path) -> Remotes:
    return Remotes({name: str(root / "remotes" / name) for name in NAMES})
