from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from falco_core.errors import ParamsError
from falco_core.project.params import load_params, parse_params

MINIMAL = {"input": {"photos": "photos"}}


def test_a_minimal_file_takes_the_published_defaults() -> None:
    params = parse_params(MINIMAL, source="params.yaml")
    anonymize = params.anonymize
    assert (anonymize.lambda_id, anonymize.lambda_attr) == (10.0, 0.1)
    assert (anonymize.steps, anonymize.margin) == (None, -0.2)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("anonymize", "margin", 1.5),
        ("anonymize", "steps", 0),
        ("anonymize", "marginn", 0.0),
        ("align", "smallest_replaced", -1),
        ("pair", "space", "colour"),
        ("sample", "truncation", "a lot"),
        ("validate", "sheet_photos", 0),
        ("gate", "max_reidentification_rate", float("nan")),
    ],
)
def test_a_wrong_value_is_one_line_naming_the_key(section: str, key: str, value: object) -> None:
    with pytest.raises(ParamsError) as error:
        parse_params({**MINIMAL, section: {key: value}}, source="params.yaml")
    message = str(error.value)
    assert f"{section}.{key}" in message
    assert "\n" not in message


def test_an_unknown_section_is_named() -> None:
    with pytest.raises(ParamsError, match="anonymise: unknown key"):
        parse_params({**MINIMAL, "anonymise": {}}, source="params.yaml")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [", "\x00"])
def test_a_file_that_is_no_mapping_is_one_clear_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError) as error:
        load_params(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="falco run"):
        load_params(tmp_path / "params.yaml")


@given(st.floats(-1, 1), st.integers(1, 10_000))
def test_valid_values_survive_writing_and_reading(margin: float, steps: int) -> None:
    params = parse_params({**MINIMAL, "anonymize": {"margin": margin, "steps": steps}}, source="x")
    written = yaml.safe_load(yaml.safe_dump(params.model_dump(mode="json", by_alias=True)))
    assert parse_params(written, source="x") == params


def test_the_digest_sees_results_and_not_places() -> None:
    here = parse_params(MINIMAL, source="x")
    elsewhere = parse_params({"input": {"photos": "/other"}, "store": {"path": "/cache"}}, source="x")
    other = parse_params({**MINIMAL, "anonymize": {"margin": 0.1}}, source="x")
    keys = ("anonymize.margin", "align.most_turned")
    assert here.digest(keys) == elsewhere.digest(keys) != other.digest(keys)
