"""bundle.yaml as a model: what networks a bundle holds, their sizes, files and digests."""

from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from falco_core.networks.config import (
    DinoConfig,
    EncoderConfig,
    FarlConfig,
    FarlTextConfig,
    GeneratorConfig,
    HeldOutConfig,
    ProbeConfig,
    RecogniserConfig,
    StartConfig,
)

Config = TypeVar("Config", bound=BaseModel)

PAIRING_SPACES = ("farl", "recogniser", "clip", "dino")

JudgeName = Literal["dlib", "sface", "rendered_heldout", "facenet_vggface2"]
"""Recognisers that may judge. The one that is optimized against is not among them: nobody judges himself."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NetworkSpec(_Record, Generic[Config]):
    """One network: its sizes and its weights file, named relative to the bundle folder."""

    config: Config
    file: str = Field(pattern=r"^[\w.-]+\.safetensors$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    source: str = ""
    """Which published file the weights come from, if they were converted."""


class NetworkSpecs(_Record):
    """The five networks of every bundle, and what it may bring besides: towers, an attribute probe, a start."""

    generator: NetworkSpec[GeneratorConfig]
    encoder: NetworkSpec[EncoderConfig]
    recogniser: NetworkSpec[RecogniserConfig]
    heldout: NetworkSpec[HeldOutConfig]
    farl: NetworkSpec[FarlConfig]
    farl_text: NetworkSpec[FarlTextConfig] | None = None
    clip: NetworkSpec[FarlConfig] | None = None
    dino: NetworkSpec[DinoConfig] | None = None
    probe: NetworkSpec[ProbeConfig] | None = None
    start: NetworkSpec[StartConfig] | None = None

    def present(self) -> dict[str, NetworkSpec[Any]]:
        """The networks that this bundle has, by name."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: network for name, network in named.items() if network is not None}


class Thresholds(_Record):
    """Cosines at which each recogniser takes 1 % of the bundle's own pairs of strangers for one person."""

    recogniser: float = Field(ge=-1, le=1)
    heldout: float = Field(ge=-1, le=1)


class JudgesSpec(_Record):
    """Who decides on each new face, and who only counts; which of them act depends on whom the photos show."""

    gate: tuple[JudgeName, ...] = Field(min_length=1)
    audit: tuple[JudgeName, ...] = ()

    @model_validator(mode="after")
    def _nobody_twice(self) -> Self:
        if problem := judges_conflict(self.gate, self.audit):
            raise ValueError(problem)
        return self


def judges_conflict(gate: tuple[str, ...], audit: tuple[str, ...]) -> str | None:
    """What is wrong with these judges, in a few words, or None."""
    for name in gate:
        if name in audit:
            return f"{name} cannot be gate and audit: who withholds faces does not count what is left of them"
    named = (*gate, *audit)
    return next((f"{name} is named twice" for name in named if named.count(name) > 1), None)


class StepRule(_Record):
    """Nesterov's Adam with a rate that falls to nothing along half a cosine: the bundle's own way to the objective of
    the published schedule in fewer steps (docs/performance.md).
    """

    space: Literal["w+", "s"] = "w+"
    steps: int = Field(ge=1, le=10_000)
    learning_rate: float = Field(gt=0, le=1)
    betas: tuple[float, float] = (0.9, 0.999)
    steps_from_start: int | None = Field(None, ge=1, le=10_000)
    """From where the bundle's start puts the middle layers, instead of from the fake's."""

    @model_validator(mode="after")
    def _betas_decay(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("step_rule.betas must lie in 0..1")
        return self


class BundleSpec(_Record):
    """All of bundle.yaml."""

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    licence: str
    source: str
    optimize_layers: tuple[int, int]
    """W+ layers [first, last) that are taken from the paired fake and optimized."""
    learning_rate: float = Field(gt=0, le=1)
    """Of the published schedule, where params.yaml names none."""
    step_rule: StepRule | None = None
    """null: the published schedule."""
    thresholds: Thresholds
    networks: NetworkSpecs
    judges: JudgesSpec | None = None
    """null: what falco_core.judges.roles has for a bundle with such a held-out network."""

    @property
    def resolution(self) -> int:
        """Side of crops and generated faces, pixels."""
        return self.networks.generator.config.resolution

    @property
    def num_layers(self) -> int:
        """L, the number of W+ layers."""
        return self.networks.generator.config.num_layers

    @property
    def spaces(self) -> tuple[str, ...]:
        """The feature spaces in which faces and fakes can be paired."""
        return tuple(name for name in PAIRING_SPACES if name in self.networks.present())

    @model_validator(mode="after")
    def _fits_together(self) -> "BundleSpec":
        generator, encoder = self.networks.generator.config, self.networks.encoder.config
        if (encoder.num_layers, encoder.w_dim) != (generator.num_layers, generator.w_dim):
            raise ValueError("the encoder's W+ codes have another shape than the generator's")
        first, last = self.optimize_layers
        if not 0 <= first < last <= generator.num_layers:
            raise ValueError(f"optimize_layers must lie within the generator's {generator.num_layers} layers")
        if (start := self.networks.start) is not None:
            fitting = (generator.num_layers, last - first, generator.w_dim, self.networks.recogniser.config.embedding)
            sizes = start.config
            if (sizes.num_layers, sizes.moved, sizes.w_dim, sizes.identity) != fitting:
                raise ValueError("the start was fitted for other networks or layers")
        if (start is None) != (self.step_rule is None or self.step_rule.steps_from_start is None):
            raise ValueError("a start needs step_rule.steps_from_start, and this a start")
        return self
