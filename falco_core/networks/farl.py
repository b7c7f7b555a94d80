"""FaRL's towers (Zheng et al., CVPR 2022): transformers trained on faces and captions, in CLIP's and open_clip's form.

OpenAI's CLIP is the same network with other weights, so that its towers are read by the same classes.
"""

from collections.abc import Sequence

from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import QuickGELU, TextTransformer, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from falco_core.networks.config import FarlConfig, FarlTextConfig
from falco_core.networks.resize import Standardize

# Mean and standard deviation of CLIP's training images, which FaRL keeps (values of pixels in [0, 1]).
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class Farl(nn.Module):
    """Images to tokens (for the attribute preservation loss) and embeddings (for pairing)."""

    def __init__(self, config: FarlConfig) -> None:
        super().__init__()
        self.config = config
        self.visual = VisionTransformer(
            image_size=config.image_size,
            patch_size=config.patch_size,
            width=config.width,
            layers=config.layers,
            heads=config.heads,
            mlp_ratio=4.0,
            output_dim=config.embedding,
            act_layer=QuickGELU,
        )
        self.normalize = Standardize(config.image_size, CLIP_MEAN, CLIP_STD)

    def tokens(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] in [-1, 1], any R -> tokens before the last layer norm [N, T, width], class token first."""
        return self.tokens_of_normalized(self.normalize(images))

    def embed(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] in [-1, 1], any R -> [N, E], unit length."""
        return functional.normalize(self.project(self.tokens(images)), dim=1)

    def tokens_of_normalized(self, images: Tensor) -> Tensor:
        """[N, 3, image_size, image_size] -> [N, T, width], without resizing or normalization."""
        embedded = self.visual._embeds(images)
        tokens: Tensor = self.visual.transformer(embedded)
        return tokens

    def project(self, tokens: Tensor) -> Tensor:
        """Tokens [N, T, width] -> embedding [N, E] of the class token, not normalized."""
        embedding: Tensor = self.visual.ln_post(tokens[:, 0]) @ self.visual.proj
        return embedding


class FarlText(nn.Module):
    """Captions to embeddings in the space of the image tower."""

    def __init__(self, config: FarlTextConfig) -> None:
        super().__init__()
        self.config = config
        self.text = TextTransformer(
            context_length=config.context_length,
            vocab_size=config.vocabulary,
            width=config.width,
            heads=config.heads,
            layers=config.layers,
            output_dim=config.embedding,
            act_layer=QuickGELU,
        )
        self._tokenize = SimpleTokenizer(context_length=config.context_length)

    def embed(self, captions: Sequence[str]) -> Tensor:
        """N captions -> [N, E], unit length."""
        tokens = self._tokenize(list(captions)).to(self.text.text_projection.device)
        return functional.normalize(self.text(tokens), dim=1)
