import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.errors import JudgeError
from falco_core.faces.align import crop_quad, extract_crop
from falco_core.faces.detect import Detector
from falco_core.judges import dlib_judge, recognisers, sface_judge
from falco_core.judges.chips import fit_similarity
from falco_core.judges.dlib_judge import LANDMARKS_FILE, RECOGNISER_FILE, DlibJudge
from falco_core.judges.kind import kind_of_people
from falco_core.judges.recognisers import BundleJudge, judge_named
from falco_core.judges.roles import KNOWS
from falco_core.judges.self_check import check_judge
from falco_core.judges.sface_judge import SFaceJudge
from falco_core.judges.similarity import similarity, similarity_matrix
from falco_core.photos.codec import load_photo
from falco_core.photos.tensors import to_tensor

Face = tuple[np.ndarray, list[np.ndarray]]


@pytest.fixture(scope="module")
def bundle(tiny_bundle_folder: Path) -> Bundle:
    return load_bundle(tiny_bundle_folder)


@pytest.fixture(scope="module")
def mini() -> Bundle:
    return load_bundle("mini")


@pytest.fixture(scope="module")
def dlib(bundle: Bundle) -> DlibJudge:
    judge = judge_named("dlib", bundle)
    assert isinstance(judge, DlibJudge)
    return judge


@pytest.fixture(scope="module")
def couple(demo_photos: Path) -> Face:
    pixels = load_photo(demo_photos / "living_room.jpg", max_pixels=10**8).pixels
    return pixels, [face.landmarks for face in Detector(device="cpu").detect(pixels)]


def test_a_bundle_judge_sees_what_its_network_sees(bundle: Bundle, couple: Face) -> None:
    judge = judge_named("rendered_heldout", bundle)
    found = judge.embed(*couple)
    crops = np.stack([extract_crop(couple[0], crop_quad(points), 32) for points in couple[1]])
    expected = bundle.heldout(to_tensor(crops)).detach().numpy()
    assert found == pytest.approx(expected, abs=1e-5)
    assert judge.threshold == bundle.spec.thresholds.heldout
    assert judge.protocol == "rendered_heldout_0.99"


def test_no_faces_give_no_rows(bundle: Bundle, couple: Face) -> None:
    for name in ("rendered_heldout", "recogniser", "dlib", "sface"):
        judge = judge_named(name, bundle)
        assert judge.embed(couple[0], []).shape == (0, judge.embed(*couple).shape[1])


def test_judges_are_made_once(bundle: Bundle) -> None:
    for name in ("dlib", "sface", "rendered_heldout", "recogniser"):
        assert judge_named(name, bundle) is judge_named(name, bundle)


def test_an_unknown_or_absent_judge_is_one_line(bundle: Bundle) -> None:
    with pytest.raises(JudgeError, match="choose from dlib, sface, rendered_heldout, facenet_vggface2, recogniser"):
        judge_named("arcface", bundle)
    with pytest.raises(JudgeError, match="facenet_vggface2: the held-out recogniser of the bundle random is another"):
        judge_named("facenet_vggface2", bundle)


def test_facenet_judges_real_people(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a bundle with FaceNet held out the held-out network is facenet_vggface2, and rendered_heldout is nobody."""
    monkeypatch.setattr(recognisers, "FACENET", bundle.spec.networks.heldout.config.architecture)
    other = replace(bundle)
    judge = judge_named("facenet_vggface2", other)
    assert (judge.name, judge.knows) == ("facenet_vggface2", "real")
    with pytest.raises(JudgeError, match="rendered_heldout"):
        judge_named("rendered_heldout", other)


def test_near_is_stricter_than_the_threshold(mini: Bundle) -> None:
    for name in ("dlib", "sface", "rendered_heldout", "recogniser"):
        judge = judge_named(name, mini)
        assert judge.threshold < judge.near < 1


def test_every_judge_passes_its_own_check(mini: Bundle, couple: Face) -> None:
    for name in ("dlib", "sface", "rendered_heldout", "recogniser"):
        judge = judge_named(name, mini)
        check_judge(judge, *couple, references=judge.embed(*couple))


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_damaged_weights_are_found(mini: Bundle, couple: Face, value: float) -> None:
    broken = load_bundle("mini")
    for weight in broken.heldout.parameters():
        torch.nn.init.constant_(weight, value)
    judge = BundleJudge("rendered_heldout", replace(mini, heldout=broken.heldout), network="heldout")
    for references in (judge_named("rendered_heldout", mini).embed(*couple), judge.embed(*couple)):
        with pytest.raises(JudgeError, match="judge rendered_heldout"):
            check_judge(judge, *couple, references=references)


@pytest.mark.parametrize("name", ["dlib", "sface"])
def test_a_face_is_known_again_in_a_turned_and_a_smaller_photo(bundle: Bundle, couple: Face, name: str) -> None:
    judge = judge_named(name, bundle)
    pixels, landmarks = couple
    known = judge.embed(pixels, landmarks)
    width = pixels.shape[1]
    turned = [np.stack([points[:, 1], width - points[:, 0]], axis=1) for points in landmarks]
    again = judge.embed(np.ascontiguousarray(np.rot90(pixels)), turned)
    assert (similarity(judge.measure, again, known) > 0.9).all()
    half = judge.embed(np.ascontiguousarray(pixels[::2, ::2]), [points / 2 for points in landmarks])
    assert (similarity(judge.measure, half, known) > 0.75).all()


@pytest.mark.parametrize("name", ["dlib", "sface"])
def test_threads_do_not_mix_up_faces(bundle: Bundle, couple: Face, name: str) -> None:
    judge = judge_named(name, bundle)
    pixels, (left, right) = couple
    alone = [judge.embed(pixels, [points]) for points in (left, right)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda points: judge.embed(pixels, [points]), [left, right] * 3))
    for number, embedding in enumerate(together):
        assert embedding == pytest.approx(alone[number % 2], abs=1e-4)


def test_dlib_takes_two_rendered_people_for_one_and_says_they_are_rendered(dlib: DlibJudge, couple: Face) -> None:
    """Why it does not gate rendered datasets: strangers reach its threshold."""
    known = dlib.embed(*couple)
    assert similarity_matrix("distance", known, known)[0, 1] > dlib.threshold
    assert kind_of_people(known) == "rendered"


@pytest.mark.parametrize("landmarks", [np.full((5, 2), np.nan), np.full((5, 2), 30.0)])
@pytest.mark.parametrize("name", ["dlib", "sface"])
def test_landmarks_that_place_no_face_give_no_number(
    bundle: Bundle, couple: Face, landmarks: np.ndarray, name: str
) -> None:
    assert np.isnan(judge_named(name, bundle).embed(couple[0], [landmarks])).all()


def test_the_kind_that_a_judge_knows_is_told_once(bundle: Bundle) -> None:
    for name in ("dlib", "sface", "rendered_heldout"):
        assert judge_named(name, bundle).knows == KNOWS[name]


def test_a_face_outside_the_photo_does_not_stop_the_judge(dlib: DlibJudge, couple: Face) -> None:
    assert dlib.embed(couple[0], [couple[1][0] + 5000.0, couple[1][0] * 20.0]).shape == (2, 128)


@pytest.mark.parametrize(
    ("module", "judge"),
    [(dlib_judge, DlibJudge), (sface_judge, SFaceJudge)],
)
def test_a_missing_or_damaged_model_is_one_sentence(
    module: ModuleType, judge: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PACKAGE", "no_such_package_of_models")
    with pytest.raises(JudgeError, match="package no_such_package_of_models is missing: pip install it"):
        judge()
    (tmp_path / "models_package" / "models").mkdir(parents=True)
    (tmp_path / "models_package" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "PACKAGE", "models_package")
    with pytest.raises(JudgeError, match="is missing: install its package again"):
        judge()
    for name in (RECOGNISER_FILE, LANDMARKS_FILE, sface_judge.FILE):
        (tmp_path / "models_package" / "models" / name).write_bytes(b"nothing of the kind")
    with pytest.raises(JudgeError, match="is damaged or another version") as damaged:
        judge()
    assert "\n" not in str(damaged.value)


def test_a_missing_dlib_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(JudgeError, match="pip install dlib-bin"):
        DlibJudge()


def test_a_similarity_transform_is_found_exactly() -> None:
    points = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0]])
    turn = np.array([[0.0, -2.0], [2.0, 0.0]])
    matrix = fit_similarity(points, points @ turn.T + [5.0, -1.0])
    assert matrix is not None
    assert matrix == pytest.approx(np.array([[0.0, -2.0, 5.0], [2.0, 0.0, -1.0]]))
