from pathlib import Path

import pytest

from falco_core.errors import ProjectError
from falco_core.project.standing import check_release, restore_release, standing_release


def write(root: Path, text: str) -> None:
    (root / "release/photos").mkdir(parents=True, exist_ok=True)
    for name in ("manifest.json", "photos/a.jpg"):
        (root / "release" / name).unlink(missing_ok=True)
        (root / "release" / name).write_text(text)


def contents(root: Path) -> dict[str, str]:
    return {p.relative_to(root).as_posix(): p.read_text() for p in (root / "release").rglob("*") if p.is_file()}


@pytest.fixture
def released(tmp_path: Path) -> Path:
    with standing_release(tmp_path):
        write(tmp_path, "first")
    return tmp_path


def vanish(root: Path) -> None:
    """What DVC does to an output before it runs its stage."""
    for path in sorted((root / "release").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (root / "release").rmdir()


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, OSError, SystemExit])
def test_the_last_good_release_is_put_back(released: Path, trouble: type[BaseException]) -> None:
    before = contents(released)
    vanish(released)
    with pytest.raises(trouble), standing_release(released):
        raise trouble
    assert contents(released) == before


def test_the_next_release_is_the_one_that_is_kept(released: Path) -> None:
    with standing_release(released):
        write(released, "second")
    vanish(released)
    restore_release(released)
    assert set(contents(released).values()) == {"second"}


def test_a_release_that_is_there_is_not_replaced(released: Path) -> None:
    write(released, "newer")
    restore_release(released)
    assert set(contents(released).values()) == {"newer"}


def test_a_file_of_the_users_own_is_named(released: Path) -> None:
    check_release(released)
    (released / "release/photos/notes.txt").write_text("mine")
    with pytest.raises(ProjectError, match=r"notes\.txt is not falco's"):
        check_release(released)
