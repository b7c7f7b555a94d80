from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from falco_core.store.items import Item, ItemCache, decode, encode, item_key

KEY = {"content": "c", "stage": "invert", "version": 1, "params": {"a": 1}, "models": "m"}


@given(
    hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-5, 5, width=32)),
    st.dictionaries(st.text(), st.none() | st.integers(-9, 9) | st.text() | st.booleans(), max_size=4),
)
def test_an_item_comes_back_as_it_was(array: np.ndarray, record: dict[str, object]) -> None:
    back = decode(encode(Item({"array": array}, record)))
    np.testing.assert_array_equal(back.arrays["array"], array)
    assert back.record == record


@pytest.mark.parametrize(
    ("part", "value"),
    [("content", "d"), ("stage", "align"), ("version", 2), ("params", {"a": 2}), ("models", "n")],
)
def test_a_key_changes_with_everything_it_is_made_of(part: str, value: object) -> None:
    assert item_key(**KEY) != item_key(**{**KEY, part: value})  # type: ignore[arg-type]


def test_a_cache_holds_whole_items_only(tmp_path: Path) -> None:
    cache = ItemCache(str(tmp_path), "invert")
    key = item_key(**KEY)  # type: ignore[arg-type]
    assert key not in cache
    with pytest.raises(KeyError):
        cache.get(key)
    cache.put(key, Item({"x": np.arange(3)}, {"n": 1}))
    cache.put(key, Item({"x": np.arange(3)}, {"n": 1}))
    assert key in cache
    assert cache.get(key).record == {"n": 1}
    assert not list(tmp_path.rglob("*.partial"))


def test_a_cache_works_on_any_fsspec_store() -> None:
    cache = ItemCache("memory://falco-test", "invert")
    cache.put("ab" * 32, Item(record={"n": 2}))
    assert cache.get("ab" * 32).record == {"n": 2}
