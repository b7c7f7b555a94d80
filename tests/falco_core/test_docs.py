from pathlib import Path

from falco_core.project.params import parse_params

DOC = Path(__file__).parents[2] / "docs" / "params.md"


def test_the_params_page_names_every_key_and_its_default() -> None:
    lines = [line.split("|")[1:3] for line in DOC.read_text().splitlines() if line.startswith("| `")]
    shown = {key.strip(" `"): value.strip(" `") for key, value in lines}
    assert shown.pop("input.photos") == "set by `falco run"
    defaults = parse_params({"input": {"photos": "x"}}, source="x").model_dump(mode="json", by_alias=True)
    del defaults["input"]
    expected = {"bundle": defaults.pop("bundle")}
    for section, values in defaults.items():
        expected |= {f"{section}.{key}": "null" if v is None else str(v) for key, v in values.items()}
    assert shown == {key: value.lower() if value in ("True", "False") else value for key, value in expected.items()}
