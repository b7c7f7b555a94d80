"""What all network configurations have in common."""

from pydantic import BaseModel, ConfigDict


class NetworkConfig(BaseModel):
    """Sizes of one network, as bundle.yaml gives them: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
