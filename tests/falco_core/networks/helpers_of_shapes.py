"""Work on rows that notes its shapes, and fails like torch where more is at work than there is room for."""

import time
from dataclasses import dataclass, field
from threading import Lock

from torch import Tensor


@dataclass
class Work:
    """room: pieces that may be at work at a time."""

    room: int = 99
    shapes: list[int] = field(default_factory=list)
    most_at_a_time: int = 0
    _now: int = 0
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, rows: Tensor, count: int) -> list[int]:
        with self._lock:
            self.shapes.append(len(rows))
            self._now += 1
            self.most_at_a_time = max(self.most_at_a_time, self._now)
            too_many = self._now > self.room
        time.sleep(0.02)
        with self._lock:
            self._now -= 1
        if too_many:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        found: list[int] = rows[:count].tolist()
        return found
