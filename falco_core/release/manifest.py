"""manifest.json: what a release says of itself."""

import json

from pydantic import BaseModel, ConfigDict

from falco_core.judges.metrics import Faces, IdentityRecord, Judged, Mean, Photos, Rate

MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """manifest.json: how the release was made; nothing in it is derived from a single original."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    falco: str
    bundle: str
    params: str
    """Digest of the parameters that change results."""
    margin: float
    """Wanted cosine similarity to the original under the recogniser that was optimized against."""
    photos: Photos
    faces: Faces
    judges: Judged
    identity: tuple[IdentityRecord, ...]
    """How often each judge takes a released face for its original: protocol (network and threshold), n, interval."""
    first_attempts_recognised: Rate
    attribute_similarity: Mean

    def text(self) -> str:
        """The file's content."""
        return json.dumps(self.model_dump(mode="json"), indent=2) + "\n"
