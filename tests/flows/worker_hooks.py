"""Preloaded by the Dask workers of tests: marks each batch that is kept; slows it down or breaks it if asked."""

import os
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from falco_core.errors import ProjectError
from falco_core.store.kept import KeptWork

MARKS = "FALCO_TEST_MARKS"
SLOW = "FALCO_TEST_SLOW"
BROKEN = "FALCO_TEST_BROKEN"


def break_once(marks: Path, said: str) -> None:
    """Raise for one batch, once another worker has kept one."""
    try:
        (marks / "broken.once").touch(exist_ok=False)
    except FileExistsError:
        return
    while not [mark for mark in marks.iterdir() if not mark.suffix]:
        time.sleep(0.05)
    raise ProjectError(said)


def dask_setup(_: object) -> None:
    """Called by Dask when a worker starts."""
    add = KeptWork.add

    def marked(self: KeptWork[Any], items: Any) -> None:
        if said := os.environ.get(BROKEN):
            break_once(Path(os.environ[MARKS]), said)
        add(self, items)
        mark = Path(os.environ[MARKS], uuid4().hex)
        mark.with_suffix(".new").write_text(f"{os.getpid()} {' '.join(item.id for item in items)}")
        mark.with_suffix(".new").rename(mark)
        time.sleep(float(os.environ.get(SLOW, "0")))

    KeptWork.add = marked  # type: ignore[method-assign]
