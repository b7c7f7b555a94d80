from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from falco_core.errors import ProjectError
from falco_core.photos.codec import Photo, encode_photo
from flows.commands.main import app

PNG = encode_photo(Photo(np.zeros((4, 4, 3), dtype=np.uint8), "PNG"))


def test_a_clean_folder_is_answered_with_0_and_every_finding_with_a_line_and_3(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    done = CliRunner().invoke(app, ["audit", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "nothing in" in done.stdout
    (tmp_path / "b.png").write_bytes(PNG + b"SECRET")
    (tmp_path / "c.txt").write_text("SECRET")
    done = CliRunner().invoke(app, ["audit", str(tmp_path)])
    assert done.exit_code == 3
    assert done.stdout.splitlines() == [
        "b.png: bytes behind its end",
        "c.txt: no picture of a format that falco releases",
        "2 findings: hand nothing on before each is explained",
    ]


def test_a_folder_that_is_none_is_a_mistake(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["audit", str(tmp_path / "nowhere")])
    assert isinstance(done.exception, ProjectError)
