from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from falco_core.strict_yaml import DEEPEST, MOST_BYTES, RefusedYaml, load_yaml, read_yaml

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="ascii")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
@settings(max_examples=50, deadline=None)
def test_plain_values_come_back(value: object) -> None:
    class Unfolded(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    assert load_yaml(yaml.dump(value, Dumper=Unfolded)) == value


@given(st.text(max_size=200) | st.text("&*!{}[]:,-?|>'\"%@`#a1 \n", max_size=200))
@settings(max_examples=200, deadline=5000)
def test_any_text_is_a_value_or_one_line(text: str) -> None:
    try:
        load_yaml(text)
    except RefusedYaml as error:
        assert str(error).isprintable()


def test_the_deepest_and_the_longest_are_taken() -> None:
    assert load_yaml("[" * DEEPEST + "]" * DEEPEST)
    with pytest.raises(RefusedYaml, match="nested deeper"):
        load_yaml("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))
    assert load_yaml("a: 1\n#" + "x" * (MOST_BYTES - 6)) == {"a": 1}
    with pytest.raises(RefusedYaml, match="longer than"):
        load_yaml("a: 1\n#" + "x" * (MOST_BYTES - 5))


def test_a_device_is_not_read() -> None:
    with pytest.raises(OSError, match="not a regular file"):
        read_yaml(Path("/dev/zero"))
