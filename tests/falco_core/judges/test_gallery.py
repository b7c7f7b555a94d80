from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falco_core.errors import JudgeError
from falco_core.judges.gallery import Gallery
from falco_core.judges.searched import Searched
from falco_core.judges.similarity import Measure, similarity_matrix
from tests.falco_core.judges.helpers import PatchJudge


@dataclass
class Measuring(PatchJudge):
    measure: Measure = "cosine"


@pytest.mark.parametrize("measure", ["cosine", "distance"])
def test_the_nearest_is_the_largest_of_the_matrix_in_however_many_parts_it_came(measure: Measure) -> None:
    rng = np.random.default_rng(0)
    faces, originals = rng.normal(size=(40, 16)), rng.normal(size=(300, 16))
    judge = Measuring(measure=measure)
    matrix = similarity_matrix(measure, faces, originals)
    for parts in ([originals], [originals[:7], originals[:0], originals[7:]]):
        similarities = Gallery(judge, *parts).nearest(faces)
        assert similarities == pytest.approx(matrix.max(axis=1), abs=1e-6)


def test_what_is_no_number_has_no_nearest() -> None:
    similarities = Gallery(PatchJudge(), np.eye(2)).nearest(np.array([[np.nan, 0.0], [1.0, 0.1], [0.0, 0.0]]))
    assert np.isnan(similarities).tolist() == [True, False, True]


@pytest.mark.parametrize("originals", [np.array([[1.0, np.nan]]), np.zeros((1, 2))])
def test_originals_that_would_hide_someone_are_refused(originals: np.ndarray) -> None:
    with pytest.raises(JudgeError, match="judge patch: the originals"):
        Gallery(PatchJudge(), np.eye(2), originals)


def test_a_search_among_nobody_is_refused() -> None:
    with pytest.raises(JudgeError, match="no originals"):
        Gallery(PatchJudge(), np.zeros((0, 2))).nearest(np.eye(2))


@given(data=st.data(), measure=st.sampled_from(["cosine", "distance"]))
@settings(max_examples=60, deadline=None)
def test_what_an_earlier_search_found_changes_no_result(data: st.DataObject, measure: Measure) -> None:
    """Originals and faces come and go between two searches."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    judge, originals, faces = Measuring(measure=measure), rng.normal(size=(30, 4)), rng.normal(size=(20, 4))
    some = st.lists(st.booleans(), min_size=30, max_size=30).filter(any)
    then, now = (np.array(data.draw(some)) for _ in range(2))
    before = Gallery(judge, originals[then])
    before.nearest(faces[: data.draw(st.integers(1, 20))])
    after = Gallery(judge, originals[now], before=before.searched())
    expected = similarity_matrix(measure, faces, originals[now]).max(axis=1)
    assert after.nearest(faces) == pytest.approx(expected, abs=1e-6)
    again = Gallery(judge, originals[now], before=after.searched())
    assert (again.nearest(faces) == after.nearest(faces)).all()


def test_a_search_is_not_made_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    originals, faces = rng.normal(size=(50, 4)), rng.normal(size=(20, 4))
    first = Gallery(PatchJudge(), originals[:49])
    first.nearest(faces)
    compared: list[int] = []
    knn = faiss.knn

    def counting(left: np.ndarray, right: np.ndarray, *args: object, **named: object) -> object:
        compared.append(len(left) * len(right))
        return knn(left, right, *args, **named)

    monkeypatch.setattr(faiss, "knn", counting)
    Gallery(PatchJudge(), originals, before=first.searched()).nearest(faces)
    assert sum(compared) == 20


@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: data[:40] + b"x" + data[41:], lambda _: b""])
def test_a_damaged_file_is_no_search(spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    gallery = Gallery(PatchJudge(), np.eye(3))
    gallery.nearest(np.eye(3))
    gallery.searched().write(tmp_path / "kept")
    assert (Searched.read(tmp_path / "kept").nearest == gallery.searched().nearest).all()
    assert len(Searched.read(tmp_path / "kept").faces) == 3
    (tmp_path / "kept").write_bytes(spoil((tmp_path / "kept").read_bytes()))
    assert len(Searched.read(tmp_path / "kept").faces) == 0
    assert len(Searched.read(tmp_path / "missing").faces) == 0
