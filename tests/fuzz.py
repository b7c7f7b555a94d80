"""Mutations of everything that falco reads of others: no crash, no hang, no end of memory.

python -m tests.fuzz --minutes 10      # every target in turn; stops at the first input that breaks one, and keeps it
"""

import argparse
import io
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
from PIL import Image

from falco_core.bundles.catalogue import load_spec
from falco_core.errors import FalcoError, UnreadablePhoto
from falco_core.photos.codec import decode_photo
from falco_core.project.document import open_document, text_of
from falco_core.project.params import load_params
from falco_core.reasons import Reason
from falco_core.store.artifact import read_table, write_table
from falco_core.store.bucket import Bucket, Kept, encode_bucket
from falco_core.store.rows import AlignedPhoto, Inversion, PhotoFile, Withheld

SECONDS = 5
"""A hang: nothing that small works so long."""
MOST_PIXELS = 1_000_000
SHA = "0" * 64
REPOSITORY = Path(__file__).parents[1]


class Hang(BaseException):
    """An input took longer than SECONDS."""


@dataclass(frozen=True)
class Target:
    """What is called with bytes, and what it is called with unchanged. FalcoErrors are answers, all else is a find."""

    read: Callable[[bytes, Path], object]
    seeds: tuple[bytes, ...]


def _decode(data: bytes, _: Path) -> None:
    decode_photo(data, max_pixels=MOST_PIXELS)


def _params(data: bytes, folder: Path) -> None:
    (folder / "params.yaml").write_bytes(data)
    load_params(folder / "params.yaml")
    text_of(open_document(folder / "params.yaml"))


def _bundle(data: bytes, folder: Path) -> None:
    (folder / "bundle.yaml").write_bytes(data)
    load_spec(folder)


def _tables(data: bytes, folder: Path) -> None:
    (folder / "t.parquet").write_bytes(data)
    for row_class in (PhotoFile, Withheld):
        try:
            list(read_table(folder / "t.parquet", row_class))
        except FalcoError:
            continue


def _buckets(data: bytes, _: Path) -> None:
    for row_class in (Inversion, AlignedPhoto):
        try:
            list(Bucket(io.BytesIO(data), row_class).read())
        except FalcoError:
            continue


def _photos() -> Iterator[bytes]:
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "text"
    for form in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"):
        file = io.BytesIO()
        image.save(file, form, **({"exif": exif} if form in ("JPEG", "PNG", "WEBP") else {}))
        yield file.getvalue()
    frames = io.BytesIO()
    image.save(frames, "GIF", save_all=True, append_images=[image.rotate(9)])
    yield frames.getvalue()


def _table(row_class: type, *rows: object) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder, "t.parquet"), rows, row_class)
        return Path(folder, "t.parquet").read_bytes()


def targets() -> dict[str, Target]:
    """Everything that reads what others wrote."""
    inversions = [Kept(n, "k", Inversion(SHA, 0.5, {"codes": np.ones((3, 4), np.float32)})) for n in "abc"]
    aligned = [Kept("a", "k", AlignedPhoto(9, 9, Reason.FAILED, "x", (), b"crops", b"masks"))]
    return {
        "decode": Target(_decode, tuple(_photos())),
        "params": Target(_params, ((REPOSITORY / "params.yaml").read_bytes(), b"input: {photos: x}\n")),
        "bundle": Target(_bundle, ((REPOSITORY / "falco_core/bundles/mini/bundle.yaml").read_bytes(),)),
        "tables": Target(
            _tables,
            (
                _table(PhotoFile, PhotoFile("a.jpg", SHA), PhotoFile("b/c.jpg", SHA)),
                _table(Withheld, Withheld("a.jpg", "align", Reason.FAILED, "x")),
            ),
        ),
        "buckets": Target(_buckets, (encode_bucket(inversions, Inversion), encode_bucket(aligned, AlignedPhoto))),
    }


_PIECES = (b"\x00", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"&a", b"*a", b"!!", b"[", b"{", b"../", b": ")


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The bytes with a few changes: flipped, cut, doubled, put in from a list of what hurts."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        place = dice.randrange(len(changed) + 1)
        size = dice.choice((1, 2, 4, 8, 64, 512))
        kind = dice.randrange(5)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << dice.randrange(8)
        elif kind == 1:
            del changed[place : place + size]
        elif kind == 2:
            changed[place:place] = changed[place : place + size] * dice.choice((1, 2, 50))
        elif kind == 3:
            changed[place:place] = dice.choice(_PIECES) * dice.choice((1, 1, 1000))
        else:
            changed[place : place + size] = dice.randbytes(min(size, len(changed) - place))
    return bytes(changed)


def try_one(target: Target, data: bytes, folder: Path) -> None:
    """Read `data`; raises Hang, MemoryError or whatever else is no FalcoError."""
    with _limited():
        try:
            target.read(data, folder)
        except UnreadablePhoto as error:
            # A photo that takes too long or too much is refused, not failed at.
            assert str(error)
        except FalcoError as error:
            assert len(str(error)) < 4000, "more than a line"


@contextmanager
def _limited() -> Iterator[None]:
    def hangs(_: int, __: FrameType | None) -> None:
        raise Hang

    # Of work, and, on a machine that has others to do, many times that of waiting.
    timers = ((signal.ITIMER_PROF, signal.SIGPROF, SECONDS), (signal.ITIMER_REAL, signal.SIGALRM, 12 * SECONDS))
    before = {number: signal.signal(number, hangs) for _, number, _ in timers}
    for timer, _, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer, number, _ in timers:
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


def main() -> int:
    """Try mutations of every target in turn; the exit code is 1 if one broke it, and the input is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one target")
    arguments = parser.parse_args()
    chosen = {name: target for name, target in targets().items() if arguments.only in (None, name)}
    with tempfile.TemporaryDirectory() as folder:
        last = Path(folder, "last")
        # In a process of its own: a library that ends the process is a find, too.
        if (worker := os.fork()) == 0:
            os._exit(_loop(chosen, random.Random(arguments.seed), 60 * arguments.minutes, last))
        _, status = os.waitpid(worker, 0)
        if status:
            print(f"{last.with_suffix('.name').read_text()}: the input is in fuzz.bin; ended with {status}")
            shutil.copyfile(last, "fuzz.bin")
    return int(bool(status))


def _loop(chosen: dict[str, Target], dice: random.Random, seconds: float, last: Path) -> int:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 4 * 2**30, resource.RLIM_INFINITY))
    end, tried, slowest = time.monotonic() + seconds, 0, dict.fromkeys(chosen, 0.0)
    while time.monotonic() < end:
        for name, target in chosen.items():
            data, start = mutated(dice.choice(target.seeds), dice), time.process_time()
            last.write_bytes(data)
            last.with_suffix(".name").write_text(name)
            try:
                try_one(target, data, last.parent)
            except (Exception, Hang):
                traceback.print_exc()
                return 1
            tried += 1
            slowest[name] = max(slowest[name], time.process_time() - start)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in slowest.items())
    print(f"{tried} inputs, nothing broke; the slowest: {times}; memory {most:.0f} MiB at most", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
