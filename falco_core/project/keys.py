"""Keys: a digest of everything that an item of kept work depends on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Keys:
    """Makes the keys of one stage's items.

    `version` counts changes of the stage's code that change results, `params` are the values that it reads, `models`
    is the digest of the networks that it uses.
    """

    stage: str
    version: int
    params: Mapping[str, Any]
    models: str

    def __post_init__(self) -> None:
        parts = [self.stage, self.version, dict(sorted(self.params.items())), self.models]
        object.__setattr__(self, "_base", hashlib.sha256(json.dumps(parts, sort_keys=True).encode()))

    def of(self, *content: object) -> str:
        """The key of the item that is made of `content`: digests, numbers, strings, and tuples of them."""
        key = self._base.copy()  # type: ignore[attr-defined]
        key.update(json.dumps(content).encode())
        return str(key.hexdigest())
