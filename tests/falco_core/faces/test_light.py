import numpy as np
import pytest

from falco_core.faces.light import Scale, light_of, scales, unblown

SIZE, SIDE = 160, 200.0


def places() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    return x, y


def skin() -> np.ndarray:
    x, y = places()
    return (((x - 0.5) / 0.35) ** 2 + ((y - 0.5) / 0.45) ** 2 < 1).astype(np.float32)


def test_a_scale_goes_there_and_back() -> None:
    values = np.array([0.0, 3.0, 255.0])
    np.testing.assert_allclose(Scale(4.0).values(Scale(4.0).log(values)), values, atol=1e-9)


@pytest.mark.parametrize("light", [0.1, 0.5, 1.0])
def test_a_face_in_less_light_has_the_same_contrasts(light: float) -> None:
    face = 60 + 120 * np.random.default_rng(0).random((SIZE, SIZE, 1)).repeat(3, axis=2)
    face = face.round()[::8, ::8].repeat(8, axis=0).repeat(8, axis=1)
    old, new = scales(face * light, face, skin())
    np.testing.assert_allclose(old.log(face * light) - new.log(face), np.log(light), atol=0.02)


def test_light_from_the_side_is_followed_up_to_the_edge_of_the_face() -> None:
    x, _ = places()
    logs = np.repeat((np.log(40) + 1.6 * x)[..., None], 3, axis=2)
    light = light_of(logs, skin(), np.zeros((SIZE, SIZE)), SIDE)
    assert np.abs(light - logs)[skin() > 0].max() < 0.08


def test_a_beard_is_no_shadow() -> None:
    x, y = places()
    logs = np.repeat((np.log(150) + 0.4 * x)[..., None], 3, axis=2)
    beard = (y > 0.62) & (np.abs(x - 0.5) < 0.3)
    jaw = np.clip((y - 0.5) / 0.05, 0, 1)
    bearded = np.where(beard[..., None], logs - 1.0, logs)
    light = light_of(bearded, skin(), jaw, SIDE)
    assert np.abs(light - logs)[(skin() > 0)].max() < 0.25
    assert np.abs(light - logs)[(skin() > 0) & ~beard].max() < 0.15


def test_blown_skin_goes_on_in_its_own_colour() -> None:
    skins = np.linspace(0.5, 1.6, SIZE)[None, :, None] * np.array([200.0, 150.0, 120.0]) * np.ones((SIZE, 1, 1))
    seen = np.clip(skins, 0, 255).astype(np.float32)
    meant = unblown(seen, np.ones((SIZE, SIZE), dtype=np.float32))
    np.testing.assert_allclose(meant, skins, rtol=0.03)


def test_blown_grey_stays_grey_and_what_is_not_blown_stays() -> None:
    grey = np.repeat(np.linspace(20, 400, SIZE)[None, :, None], 3, axis=2).repeat(SIZE, axis=0)
    seen = np.clip(grey, 0, 255).astype(np.float32)
    np.testing.assert_allclose(unblown(seen, np.ones((SIZE, SIZE), dtype=np.float32)), seen, atol=1e-3)
