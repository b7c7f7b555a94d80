import re
from pathlib import Path

import torch

from falco_rendered.parameters import (
    ATTRIBUTES,
    LATENT_SIZE,
    PARAMETERS,
    Values,
    attributes_of,
    band_mask,
    captions_of,
    group_mask,
    same_identity,
    sample_latents,
)


def test_a_row_of_latents_depends_on_seed_and_row_only():
    assert torch.equal(sample_latents(3, seed=5), sample_latents(9, seed=5)[:3])
    assert not torch.equal(sample_latents(3, seed=5), sample_latents(3, seed=6))
    assert sample_latents(0, seed=5).shape == (0, LATENT_SIZE)


def test_latents_are_standard_normal():
    latents = sample_latents(2000, seed=1)
    assert latents.mean().abs() < 0.01
    assert (latents.std() - 1).abs() < 0.01


def test_same_identity_redraws_everything_but_identity():
    latents = sample_latents(4, seed=1)
    again = same_identity(latents, seed=2)
    kept = group_mask("identity")
    assert torch.equal(again[:, kept], latents[:, kept])
    assert (again[:, ~kept] != latents[:, ~kept]).all()


def test_every_parameter_belongs_to_exactly_one_band_and_group():
    bands = torch.stack([band_mask("coarse"), band_mask("middle"), band_mask("fine")]).sum(0)
    groups = torch.stack([group_mask("identity"), group_mask("attribute"), group_mask("nuisance")]).sum(0)
    assert (bands == 1).all()
    assert (groups == 1).all()
    assert group_mask("identity").sum() >= 24
    assert len({parameter.name for parameter in PARAMETERS}) == LATENT_SIZE


def test_values_stay_in_the_range_of_the_table():
    values = Values(sample_latents(500, seed=3) * 2)
    for parameter in PARAMETERS:
        value = getattr(values, parameter.name)
        if parameter.kind == "switch":
            assert set(value.tolist()) <= {0.0, 1.0}
        else:
            assert value.min() >= parameter.low and value.max() <= parameter.high


def test_switches_come_as_often_as_the_table_says():
    values = Values(sample_latents(4000, seed=4))
    for parameter in PARAMETERS:
        if parameter.kind == "switch":
            assert abs(getattr(values, parameter.name).mean() - parameter.low) < 0.03


def test_each_attribute_is_seen_in_some_people_and_not_in_others():
    shown = attributes_of(sample_latents(600, seed=2)).float().mean(0)
    assert len(ATTRIBUTES) >= 12
    assert ((shown > 0.02) & (shown < 0.98)).all()


def test_what_cannot_be_seen_is_no_attribute():
    shown = attributes_of(sample_latents(1500, seed=2))
    seen = {name: shown[:, index] for index, name in enumerate(ATTRIBUTES)}
    assert not (seen["Bangs"] & seen["Wearing_Hat"]).any()
    assert not (seen["Bald"] & seen["Long_Hair"]).any()
    assert not (seen["Beard"] & ~seen["Male"]).any()


def test_captions_are_reproducible_and_tell_no_untruth():
    latents = sample_latents(200, seed=8)
    captions = captions_of(latents, seed=3)
    assert captions == captions_of(latents, seed=3)
    assert captions[:5] == captions_of(latents[:5], seed=3)
    shown = attributes_of(latents)[:, ATTRIBUTES.index("Eyeglasses")].tolist()
    told = ["glasses" in caption for caption in captions]
    assert all(seen or not said for seen, said in zip(shown, told, strict=True))
    assert any(told)


def test_captions_name_man_or_woman_rightly():
    latents = sample_latents(50, seed=9)
    male = attributes_of(latents)[:, ATTRIBUTES.index("Male")].tolist()
    assert [" man" in caption for caption in captions_of(latents, seed=1)] == male


def test_the_documentation_names_every_parameter_in_its_group_and_every_attribute() -> None:
    page = (Path(__file__).parents[2] / "docs/rendered-world.md").read_text()
    rows: dict[tuple[str, str], set[str]] = {}
    group = ""
    for line in page.splitlines():
        if line.startswith("|") and "`" in line:
            _, first, band, names, _ = line.split("|")
            group = first.split(":")[0].strip() or group
            rows[group, band.strip()] = set(re.findall(r"`(\w+)`", names))
    expected: dict[tuple[str, str], set[str]] = {}
    for parameter in PARAMETERS:
        expected.setdefault((parameter.group, parameter.band), set()).add(parameter.name)
    assert rows == expected
    assert re.findall(r"`(\w+)`", page.split("## What can be seen")[1]) == list(ATTRIBUTES)
