import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falco_core.errors import FaceError
from falco_core.faces.align import extract_crop, landmarks_in_crop
from falco_core.faces.compose import Pasted, paste
from falco_core.faces.mask import core_hull, face_mask
from tests.falco_core.faces.portraits import aligned, head, photo_of


def pasted(photo: np.ndarray, crop: np.ndarray, landmarks: np.ndarray, quad: np.ndarray, size: int = 128) -> Pasted:
    mask, _ = face_mask(extract_crop(photo, quad, size), landmarks_in_crop(landmarks, quad, size))
    return paste(photo, crop, quad=quad, landmarks=landmarks, mask=mask)


def core(landmarks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Eyes, brows, nose and mouth of a photo: bool [H, W]."""
    filled = np.zeros(shape[:2], dtype=np.uint8)
    cv2.fillConvexPoly(filled, np.rint(core_hull(landmarks) - 0.5).astype(np.int32), 1)
    return filled.astype(bool)


def stranger(size: int = 128) -> np.ndarray:
    """Another face: darker, redder, bearded, in front of a white wall."""
    picture = head(size, beard=True).astype(np.float32)
    picture[(np.abs(picture - (90, 120, 160)) < 20).all(axis=2)] = 255
    return np.clip(picture * (0.7, 0.55, 0.5), 0, 255).astype(np.uint8)


def slope(pixels: np.ndarray, region: np.ndarray, width: float) -> float:
    """Mean gradient of the brightness within `width` pixels of a region's edge."""
    grey = pixels.astype(np.float32).mean(axis=2)
    steep = np.hypot(*(cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1))))
    depth = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5)
    return float(steep[region & (depth < width)].mean())


@pytest.mark.parametrize("turn", [0.0, 20.0, -35.0])
@pytest.mark.parametrize(("side", "size"), [(128.0, 128), (140.0, 256), (230.0, 256), (230.0, 1024)])
@pytest.mark.parametrize("glasses", [False, True], ids=["", "glasses"])
def test_an_untouched_crop_gives_the_photo_back(turn: float, side: float, size: int, glasses: bool) -> None:
    photo, landmarks, quad = photo_of(head(256, glasses=glasses), at=(160, 150), side=side, turn=turn)
    result = pasted(photo, extract_crop(photo, quad, size), landmarks, quad, size=256)
    difference = np.abs(result.pixels.astype(int) - photo)
    assert result.region.any()
    assert difference[result.region].mean() <= 1.5
    assert difference[~result.region].max() == 0


def test_what_a_small_crop_loses_is_lost_by_its_resolution_alone() -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=260)
    small = extract_crop(photo, quad, 64)
    result = pasted(photo, small, landmarks, quad, size=256)
    axes = np.stack([quad[3] - quad[0], quad[1] - quad[0]], axis=1)
    y, x = np.mgrid[0 : photo.shape[0], 0 : photo.shape[1]]
    places = (np.stack([x, y], axis=-1) + 0.5 - quad[0]) @ np.linalg.inv(axes).T * 64 - 0.5
    enlarged = cv2.remap(small, *np.moveaxis(places.astype(np.float32), -1, 0), cv2.INTER_CUBIC)
    lost, missed = (
        np.abs(each[result.region].astype(int) - photo[result.region]).mean() for each in (enlarged, result.pixels)
    )
    assert missed <= 1.15 * lost


@given(st.floats(-60, 360), st.floats(-60, 300), st.floats(12, 600), st.floats(-180, 180), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_outside_of_the_region_not_a_bit_changes_and_inside_the_features_are_new(
    x: float, y: float, side: float, turn: float, seed: int
) -> None:
    photo, landmarks, quad = photo_of(head(256), at=(x, y), side=side, turn=turn, shape=(200, 240))
    crop = np.random.default_rng(seed).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    result = pasted(photo, crop, landmarks, quad)
    np.testing.assert_array_equal(result.pixels[~result.region], photo[~result.region])
    assert result.region[core(landmarks, photo.shape)].all()


@pytest.mark.parametrize("side", [90.0, 230.0, 280.0])
def test_nothing_of_the_old_face_is_left_in_its_features(side: float) -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=side, turn=10)
    planted = core(landmarks, photo.shape)
    y, x = np.mgrid[0 : photo.shape[0], 0 : photo.shape[1]]
    stripes = planted & ((x + y) % 8 < 4)
    photo[planted] = (255, 0, 0)
    photo[stripes] = (90, 0, 0)
    result = pasted(photo, stranger(), landmarks, quad)
    after = result.pixels[planted].astype(float)
    # The light is reddish, as it was; but the pure red is not there, nor any trace of where the stripes were.
    assert np.abs(after - (255, 0, 0)).max(axis=1).min() > 8
    assert abs(np.corrcoef(after[:, 0], stripes[planted])[0, 1]) < 0.05


def test_a_mask_that_forgets_the_features_does_not_keep_them() -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=200)
    result = paste(photo, stranger(), quad=quad, landmarks=landmarks, mask=np.zeros((128, 128), dtype=np.float32))
    features = core(landmarks, photo.shape)
    assert result.region.sum() == pytest.approx(features.sum(), rel=0.02)
    assert (result.region & features).sum() > 0.98 * features.sum()


def test_the_old_faces_details_change_nothing_but_numbers() -> None:
    # Two photos whose faces differ in detail, not in light, skin, contrast or grain, get the same new face.
    crop, mask = stranger(), np.zeros((128, 128), dtype=np.float32)
    mask[32:118, 32:96] = 1
    photo = np.full((256, 256, 3), (190, 150, 130), dtype=np.float32)
    rng = np.random.default_rng(0)
    results = []
    for _ in range(2):
        detail = cv2.GaussianBlur(rng.normal(0, 1, photo.shape[:2]), (0, 0), 3)
        detailed = np.clip(photo + (15 * detail / detail.std())[..., None], 0, 255).astype(np.uint8)
        points = aligned(256)
        quad = np.array([[0.0, 0.0], [0.0, 256.0], [256.0, 256.0], [256.0, 0.0]])
        results.append(paste(detailed, crop, quad=quad, landmarks=points, mask=mask).pixels[100:200, 90:166])
    first, second = (result.astype(float) - result.mean() for result in results)
    assert np.abs(first - second).mean() < 4
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.97


def test_a_grey_photo_gets_a_grey_face() -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=220)
    grey = np.repeat(photo.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    result = pasted(grey, stranger(), landmarks, quad)
    assert np.ptp(result.pixels, axis=2).max() == 0
    assert (result.pixels != grey).any()


@pytest.mark.parametrize("tint", [(1.0, 0.82, 0.6), (0.55, 0.75, 1.0)], ids=["sepia", "cold"])
def test_the_new_face_takes_the_photos_cast(tint: tuple[float, float, float]) -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=220)
    cast = (photo.mean(axis=2, keepdims=True) * tint).astype(np.uint8)
    result = pasted(cast, stranger(), landmarks, quad)
    before, after = (each[result.region].mean(axis=0) for each in (cast, result.pixels))
    np.testing.assert_allclose(after / after.sum(), before / before.sum(), atol=0.02)
    assert abs(after.mean() - before.mean()) < 15


@pytest.mark.parametrize("light", [0.07, 1.2])
def test_a_face_in_the_dark_does_not_shine(light: float) -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=220)
    lit = np.clip(photo * light, 0, 255).astype(np.uint8)
    result = pasted(lit, stranger(), landmarks, quad)
    means = [each[result.region].astype(float).mean() for each in (lit, result.pixels)]
    assert means[1] == pytest.approx(means[0], rel=0.2)


@pytest.mark.parametrize("light", [0.1, 0.25, 0.5])
def test_in_less_light_the_new_face_is_the_same_only_darker(light: float) -> None:
    photo, landmarks, quad = photo_of(head(256, grain=0), at=(160, 150), side=220)
    dark = np.rint(photo * light).astype(np.uint8)
    usual, dim = (pasted(each, stranger(), landmarks, quad) for each in (photo, dark))
    expected, shown = usual.pixels[usual.region] * light, dim.pixels[usual.region]
    assert np.abs(shown - expected).mean() < 0.75 + 0.02 * light * 255
    assert np.percentile(shown, 99) == pytest.approx(np.percentile(expected, 99), rel=0.1, abs=2)


@pytest.mark.parametrize("tint", [(0.02, 0.9, 1.0), (1.0, 0.1, 0.1)], ids=["teal", "red"])
def test_a_crop_of_any_colour_gets_the_old_skins(tint: tuple[float, float, float]) -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=220)
    result = pasted(photo, (stranger() * tint).astype(np.uint8), landmarks, quad).pixels.astype(float)
    cheek = np.s_[150:170, 118:132]
    np.testing.assert_allclose(result[cheek].mean(axis=(0, 1)), photo[cheek].mean(axis=(0, 1)), rtol=0.08)


def test_shades_of_an_overexposed_face_have_the_colour_of_skin() -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=220)
    blown = np.clip(photo * np.linspace(1.1, 2.2, photo.shape[1])[None, :, None], 0, 255).astype(np.uint8)
    crop = head(128)
    shade = cv2.GaussianBlur(cv2.circle(np.zeros((128, 128), np.float32), (86, 76), 5, 1.0, cv2.FILLED), (0, 0), 2)
    shaded = (crop * (1 - 0.5 * shade[..., None])).astype(np.uint8)
    plain, with_shade = (pasted(blown, each, landmarks, quad).pixels.astype(float) for each in (crop, shaded))
    darker = with_shade.mean(axis=2) < plain.mean(axis=2) - 25
    assert darker.sum() > 30
    red, _, blue = with_shade[darker].mean(axis=0)
    assert red > 1.12 * blue


def test_a_new_beard_brightens_nothing_around_it() -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=220)
    bearded = pasted(photo, head(128, beard=True), landmarks, quad).pixels.astype(float)
    for part in (np.s_[150:170, 118:132], np.s_[100:112, 150:170], np.s_[244:250, 150:170]):
        assert bearded[part].mean() == pytest.approx(photo[part].mean(), rel=0.06)
    chin = np.s_[212:222, 150:170]
    assert bearded[chin].mean() < 0.75 * photo[chin].mean()


def test_glasses_that_the_new_face_does_not_wear_are_gone_outside_of_the_mask_too() -> None:
    bare, landmarks, quad = photo_of(head(256), at=(160, 150), side=240)
    photo, _, _ = photo_of(head(256, glasses=True), at=(160, 150), side=240)
    worn = np.abs(photo.astype(int) - bare).max(axis=2) > 40
    plain = pasted(photo, head(128), landmarks, quad)
    kept = pasted(photo, head(256, glasses=True), landmarks, quad)
    outside = worn & ~kept.region
    assert outside.sum() > 100
    left = np.abs(plain.pixels[outside].astype(int) - bare[outside]).max(axis=1)
    assert (left > 40).mean() < 0.1
    assert (plain.region & ~kept.region).sum() < 6 * outside.sum()


def test_glasses_that_only_the_new_face_wears_reach_beyond_the_mask_and_do_not_fade() -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=240)
    glasses, _, _ = photo_of(head(256, glasses=True), at=(160, 150), side=240)
    worn = np.abs(glasses.astype(int) - photo).max(axis=2) > 60
    plain = pasted(photo, head(256), landmarks, quad)
    gained = pasted(photo, head(256, glasses=True), landmarks, quad)
    for part in (worn & plain.region, worn & ~plain.region):
        assert part.sum() > 50
        seen, meant = (np.abs(each[part].astype(float) - photo[part]).mean() for each in (gained.pixels, glasses))
        assert seen > 0.7 * meant
    assert (gained.region & ~plain.region).sum() < 8 * (worn & ~plain.region).sum()


def test_something_green_over_an_eye_does_not_tint_the_face() -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=220)
    covered = photo.copy()
    covered[:, 185:] = (40, 200, 60)
    cheek = np.s_[150:170, 120:130]
    plain, beside = (pasted(each, stranger(), landmarks, quad).pixels[cheek] for each in (photo, covered))
    np.testing.assert_allclose(beside.mean(axis=(0, 1)), plain.mean(axis=(0, 1)), atol=8)


def test_light_from_the_left_stays_on_the_left() -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=220)
    lit = (photo * np.linspace(1.2, 0.4, photo.shape[1])[None, :, None]).clip(0, 255).astype(np.uint8)
    result = pasted(lit, stranger(), landmarks, quad).pixels.astype(float)
    cheeks = [result[150:170, columns].mean() for columns in (slice(118, 130), slice(190, 202))]
    expected = [lit[150:170, columns].mean() for columns in (slice(118, 130), slice(190, 202))]
    assert cheeks[0] / cheeks[1] == pytest.approx(expected[0] / expected[1], rel=0.15)


@pytest.mark.parametrize("wall", [(255, 255, 255), (0, 0, 0), (0, 255, 0)])
def test_no_light_comes_from_outside_of_the_outline(wall: tuple[int, int, int]) -> None:
    # The same face before another wall, pasted with a stranger whose own wall is white.
    picture = head(256)
    y, x = np.mgrid[0:256, 0:256]
    other = picture.copy()
    other[((x - 127.5) / 88) ** 2 + ((y - 129.5) / 114) ** 2 > 1] = wall
    results = []
    for each in (picture, other):
        photo, landmarks, quad = photo_of(each, at=(160, 150), side=220)
        mask, _ = face_mask(
            extract_crop(picture, np.array([[0, 0], [0, 256], [256, 256], [256, 0.0]]), 128), aligned(128)
        )
        results.append(paste(photo, stranger(), quad=quad, landmarks=landmarks, mask=mask))
    both = results[0].region & cv2.erode(results[0].region.astype(np.uint8), np.ones((9, 9))).astype(bool)
    difference = np.abs(results[0].pixels[both].astype(int) - results[1].pixels[both])
    assert difference.mean() < 1.0
    assert np.percentile(difference, 99) <= 8


@pytest.mark.parametrize("side", [90.0, 160.0, 230.0, 280.0])
def test_the_masks_edge_is_not_steeper_than_the_photo_was(side: float) -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=side)
    result = pasted(photo, stranger(), landmarks, quad)
    assert slope(result.pixels, result.region, 0.06 * side) <= 1.2 * slope(photo, result.region, 0.06 * side)


def test_a_blurred_photo_gets_a_softer_face_and_a_grainy_one_a_grainier() -> None:
    sharp, landmarks, quad = photo_of(head(256, grain=0), at=(160, 150), side=220)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 3)
    grainy = np.clip(sharp + np.random.default_rng(0).normal(0, 5, sharp.shape[:2])[..., None], 0, 255).astype(np.uint8)
    faces = [pasted(each, stranger(), landmarks, quad).pixels for each in (blurred, sharp, grainy)]
    assert slope(faces[0], core(landmarks, sharp.shape), 9) < slope(faces[1], core(landmarks, sharp.shape), 9)
    cheek = [face[165:180, 125:140].astype(float).mean(axis=2) for face in faces]
    noise = [float((each - cv2.GaussianBlur(each, (0, 0), 1)).std()) for each in cheek]
    assert noise[2] > 2 * noise[1]


def test_a_nearer_face_is_whole_over_a_farther_one() -> None:
    photo, near, near_quad = photo_of(head(256), at=(120, 150), side=230)
    far, far_quad = near * 0.5 + [60, 40], near_quad * 0.5 + [60, 40]
    behind = pasted(photo, np.full((64, 64, 3), 250, dtype=np.uint8), far, far_quad)
    both = pasted(behind.pixels, stranger(), near, near_quad)
    alone = pasted(photo, stranger(), near, near_quad)
    assert (behind.region & core(near, photo.shape)).any()
    assert both.region[core(near, photo.shape)].all()
    inside = core(near, photo.shape)
    assert np.abs(both.pixels[inside].astype(int) - alone.pixels[inside]).mean() < 40


def test_the_same_face_is_pasted_the_same_way_whatever_was_drawn_before() -> None:
    photo, landmarks, quad = photo_of(head(256, grain=6), at=(160, 150), side=200)
    soft = cv2.GaussianBlur(stranger(), (0, 0), 2)
    first = pasted(photo, soft, landmarks, quad).pixels
    np.random.seed(7)
    cv2.setRNGSeed(7)
    np.testing.assert_array_equal(pasted(photo, soft, landmarks, quad).pixels, first)


def test_a_face_across_the_border_is_replaced_up_to_the_border() -> None:
    photo, landmarks, quad = photo_of(head(256), at=(10, 110), side=150, shape=(120, 120))
    result = pasted(photo, stranger(), landmarks, quad)
    assert result.region[100, 0]
    assert not result.region[:10].any()


@pytest.mark.parametrize("side", [14.0, 40.0, 1500.0])
def test_tiny_and_huge_faces_are_replaced(side: float) -> None:
    size = int(side * 1.2) + 20
    photo, landmarks, quad = photo_of(head(256), at=(size / 2, size / 2), side=side, shape=(size, size))
    result = pasted(photo, stranger(), landmarks, quad)
    assert result.region[core(landmarks, photo.shape)].all()
    assert 0.15 < result.region.sum() / side**2 < 0.55
    assert (
        np.abs(result.pixels[result.region].astype(float).mean(axis=0) - photo[result.region].mean(axis=0)).max() < 25
    )


def test_a_crop_much_larger_than_its_place_is_not_aliased() -> None:
    photo = np.full((100, 100, 3), 127, dtype=np.uint8)
    stripes = np.zeros((512, 512, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    landmarks = aligned(48) + 26
    quad = np.array([[26.0, 26.0], [26.0, 74.0], [74.0, 74.0], [74.0, 26.0]])
    result = paste(photo, stripes, quad=quad, landmarks=landmarks, mask=np.ones((32, 32), dtype=np.float32))
    assert np.abs(result.pixels.astype(int) - 127).max() < 12


def test_a_face_beyond_the_border_changes_nothing() -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=200)
    result = paste(
        photo, stranger(), quad=quad + 2000, landmarks=landmarks + 2000, mask=np.ones((128, 128), np.float32)
    )
    np.testing.assert_array_equal(result.pixels, photo)
    assert not result.region.any()


@pytest.mark.parametrize("broken", ["landmarks", "quad", "one place"])
def test_a_face_without_a_place_is_an_error_and_no_silent_original(broken: str) -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=200)
    places = {"landmarks": landmarks, "quad": quad}
    if broken == "one place":
        places["landmarks"] = np.full((5, 2), 100.0)
    else:
        places[broken] = np.full_like(places[broken], np.nan)
    with pytest.raises(FaceError, match="no place"):
        paste(photo, stranger(), mask=np.ones((128, 128), np.float32), **places)


def test_the_original_photo_is_not_written_to() -> None:
    photo, landmarks, quad = photo_of(head(256), at=(160, 150), side=200)
    photo.setflags(write=False)
    assert (pasted(photo, stranger(), landmarks, quad).pixels != photo).any()
