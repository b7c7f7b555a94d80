"""A start for the latent optimization: what the middle layers of a face will be like in the end, told in one pass.

Fitted on a bundle's own fakes by the objective itself (falco_rendered.train.start); the solver goes on from there and
judges what comes out, so a bad start costs steps and nothing else.
"""

import torch
from torch import Tensor, nn

from falco_core.networks.config import StartConfig


class Start(nn.Module):
    """A perceptron with residual blocks that moves the fake's layers."""

    def __init__(self, config: StartConfig) -> None:
        super().__init__()
        self.config = config
        inputs = (config.num_layers + config.moved) * config.w_dim + config.identity + 1
        self.register_buffer("mean", torch.zeros(config.w_dim))
        self.register_buffer("spread", torch.ones(config.w_dim))
        self.mean: Tensor
        self.spread: Tensor
        self.input = nn.Linear(inputs, config.hidden)
        self.blocks = nn.ModuleList(_block(config.hidden) for _ in range(config.blocks))
        self.output = nn.Linear(config.hidden, config.moved * config.w_dim)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, *, real: Tensor, fake: Tensor, identity: Tensor, margin: float | Tensor) -> Tensor:
        """real [N, L, D] the face's codes, fake [N, M, D] its fake's layers, identity [N, E] the recogniser's embedding
        of the original, margin the wanted cosine, one or [N] -> where to start [N, M, D].
        """
        codes = [((part - self.mean) / self.spread).flatten(1) for part in (real, fake)]
        wanted = torch.as_tensor(margin, device=real.device, dtype=real.dtype).expand(len(real))[:, None]
        # Embeddings have unit length, and margins are small: both are brought to the size of the codes' entries.
        x = self.input(torch.cat([*codes, identity * self.config.identity**0.5, wanted * 3.0], dim=1))
        for block in self.blocks:
            x = x + block(x)
        moved: Tensor = self.output(x).view_as(fake)
        return fake + moved * self.spread


def _block(width: int) -> nn.Module:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
