"""A line now and then, so that a long training is seen to live."""

import time

EVERY_SECONDS = 20.0


class Progress:
    """Prints at most one line every EVERY_SECONDS."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._start = time.monotonic()
        self._last = self._start

    def due(self) -> bool:
        """Whether the next line would be printed."""
        return time.monotonic() - self._last >= EVERY_SECONDS

    def say(self, text: str) -> None:
        """Print `text` if a line is due."""
        if self.due():
            self._last = time.monotonic()
            print(f"[{self._name} {self._last - self._start:.0f} s] {text}", flush=True)
