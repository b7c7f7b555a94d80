"""Training for a number of minutes: learning rate over the budget, checkpoints, and going on after a stop."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)

CHECKPOINT_SECONDS = 60.0
WARM_UP = 0.02


@dataclass(frozen=True)
class Step:
    """One step of a training: its number, and the share of the budget used before it (0 to 1)."""

    number: int
    share: float


class Training:
    """Steps until the minutes are used up; a killed run goes on from its last checkpoint."""

    def __init__(
        self, path: Path, parts: dict[str, Any], *, minutes: float, learning_rate: float, device: str = "cpu"
    ) -> None:
        """Minutes of `device`: on a CPU those in which each thread computes, so that other work costs no steps.

        `parts` have state_dict and load_state_dict; the one called `optimizer` gets its learning rate set.

        A parameter group may have a `speed`: its learning rate is that many times the others'.
        """
        self._path = path
        self._parts = parts
        self._seconds = minutes * 60.0
        self._learning_rate = learning_rate
        self._clock = _thread_seconds if device == "cpu" else time.monotonic
        self._used = 0.0
        self._number = 0
        if path.is_file():
            self._restore()

    def steps(self) -> Iterator[Step]:
        """Yield steps; time between two of them counts as training time."""
        saved = started = self._clock()
        before = self._used
        while self._used < self._seconds:
            share = self._used / self._seconds
            for group in self._parts["optimizer"].param_groups:
                group["lr"] = self._learning_rate * self._factor(share) * group.get("speed", 1.0)
            torch.manual_seed(self._number)
            yield Step(self._number, share)
            self._number += 1
            now = self._clock()
            self._used = before + now - started
            if now - saved > CHECKPOINT_SECONDS:
                self._save()
                saved = now
        self._save()

    @staticmethod
    def _factor(share: float) -> float:
        warm = min(1.0, (share + 1e-4) / WARM_UP)
        return warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * share)))

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        states = {name: part.state_dict() for name, part in self._parts.items()}
        torch.save({"used": self._used, "number": self._number, "states": states}, partial)
        partial.replace(self._path)

    def _restore(self) -> None:
        kept = torch.load(self._path, weights_only=True)
        self._used, self._number = kept["used"], kept["number"]
        # A checkpoint that was handed on without its optimizers goes on with fresh ones.
        for name in self._parts.keys() & kept["states"].keys():
            self._parts[name].load_state_dict(kept["states"][name])


def _thread_seconds() -> float:
    """Seconds of computing so far, per thread."""
    return time.process_time() / torch.get_num_threads()


class MovingAverage(Generic[Module]):
    """Exponential moving average of a module's weights; buffers are copied."""

    def __init__(self, module: Module, average: Module, decay: float) -> None:
        self._module, self.average, self._decay = module, average, decay
        average.load_state_dict(module.state_dict())
        average.requires_grad_(False)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Call after every optimizer step; the first steps are averaged over a shorter past."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for mean, weight in zip(self.average.parameters(), self._module.parameters(), strict=True):
            mean.lerp_(weight, 1.0 - decay)
        for kept, buffer in zip(self.average.buffers(), self._module.buffers(), strict=True):
            kept.copy_(buffer)

    def state_dict(self) -> dict[str, Any]:
        """The average's weights."""
        return self.average.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the average's weights."""
        self.average.load_state_dict(state)


def batches(count: int, size: int, *, step: int, seed: int) -> torch.Tensor:
    """Rows of batch `step`: whole passes over `count` rows in an order drawn anew from (seed, pass)."""
    per_pass = max(count // size, 1)
    number, place = divmod(step, per_pass)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed * 100_003 + number))
    return order[place * size : (place + 1) * size]
