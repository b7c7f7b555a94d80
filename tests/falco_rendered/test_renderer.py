import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from PIL import Image

from falco_core.faces.align import crop_quad, extract_crop
from falco_rendered.parameters import PARAMETERS, band_mask, sample_latents
from falco_rendered.renderer import Render, render_aligned, render_portrait

_NAMES = [parameter.name for parameter in PARAMETERS]


@pytest.fixture(scope="module")
def people() -> tuple[torch.Tensor, Render]:
    latents = sample_latents(24, seed=77)
    return latents, render_aligned(latents)


def _pixels(images: torch.Tensor) -> np.ndarray:
    return ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def test_pictures_have_the_promised_shapes_and_ranges(people):
    _, render = people
    assert render.images.shape == (24, 3, 128, 128)
    assert render.alpha.shape == (24, 1, 128, 128)
    assert render.landmarks.shape == (24, 5, 2)
    assert render.images.isfinite().all() and render.images.abs().max() <= 1.001
    assert render.alpha.min() >= 0 and render.alpha.max() <= 1.001


def test_a_picture_does_not_depend_on_its_batch(people):
    latents, render = people
    alone = render_aligned(latents[5:6])
    assert torch.allclose(alone.images[0], render.images[5], atol=2e-3)
    together = render_aligned(latents[:5], chunk=5)
    assert torch.allclose(together.images, render.images[:5], atol=2e-3)


def test_the_framing_is_that_of_crop_quad(people):
    _, render = people
    for landmarks in render.landmarks:
        quad = crop_quad(landmarks.double().numpy())
        assert np.allclose(quad, [[0, 0], [0, 128], [128, 128], [128, 0]], atol=0.05)


def test_a_detector_finds_every_face_where_its_landmarks_are(people):
    _, render = people
    detector = MTCNN(keep_all=True)
    errors = []
    for image, truth in zip(_pixels(render.images), render.landmarks.numpy(), strict=True):
        boxes, _, points = detector.detect(Image.fromarray(image), landmarks=True)
        assert boxes is not None
        errors.append(np.linalg.norm(points[0].astype(float) - truth, axis=1).mean())
    assert np.mean(errors) <= 3.0


def test_a_crop_of_a_portrait_shows_the_aligned_face():
    latents = sample_latents(2, seed=5)
    portrait, aligned = render_portrait(latents, size=320), render_aligned(latents)
    for index in range(2):
        quad = crop_quad(portrait.landmarks[index].double().numpy())
        crop = extract_crop(_pixels(portrait.images)[index], quad, 128).astype(float)
        face = aligned.alpha[index, 0].numpy() > 0.999
        difference = np.abs(crop - _pixels(aligned.images)[index])[face]
        assert difference.mean() < 6


def test_fine_latents_leave_the_outline_alone(people):
    latents, render = people
    other = torch.where(band_mask("fine"), sample_latents(24, seed=78), latents)
    changed = render_aligned(other[:4])
    assert torch.allclose(changed.alpha, render.alpha[:4], atol=1e-3)
    assert torch.allclose(changed.landmarks, render.landmarks[:4], atol=1e-3)


def _telling_people() -> torch.Tensor:
    """One who shows every thing that can be worn in a face, one with long hair under a hat."""
    latents = sample_latents(2, seed=79)
    on = ("male", "eyeglasses", "beard", "mustache", "smiling", "mouth_open", "earrings", "hair_part")
    off = ("bald", "hat", "long_hair", "bangs")
    latents[0, [_NAMES.index(name) for name in on]] = 1.8
    latents[0, [_NAMES.index(name) for name in off]] = -1.8
    latents[1, [_NAMES.index(name) for name in ("hat", "long_hair")]] = 1.8
    return latents


def test_every_latent_changes_some_picture():
    before = render_aligned(_telling_people(), size=64).images
    for index, name in enumerate(_NAMES):
        latents = _telling_people()
        latents[:, index] = torch.where(latents[:, index] > 0, -1.8, 1.8)
        assert (render_aligned(latents, size=64).images - before).abs().max() > 0.004, name


def test_small_steps_of_a_latent_are_small_steps_of_the_picture():
    latents = sample_latents(1, seed=80)
    steps = latents.repeat(5, 1)
    steps[:, _NAMES.index("yaw")] = torch.linspace(0, 0.2, 5)
    images = render_aligned(steps, size=64).images
    jumps = (images[1:] - images[:-1]).abs().mean((1, 2, 3))
    assert jumps.max() < 3 * jumps.min() + 0.01
