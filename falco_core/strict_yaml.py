"""YAML that others wrote: plain values, small, shallow, and nothing in it that unfolds into more than it says."""

from pathlib import Path
from typing import Any

import yaml
from yaml.events import AliasEvent
from yaml.nodes import Node

from falco_core.errors import one_line
from falco_core.files import open_regular

MOST_BYTES = 128 * 1024
"""A hundred times what falco's own files need; read in under five seconds."""
DEEPEST = 32


class RefusedYaml(ValueError):
    """The text is no YAML, or more than plain values; the message is one line."""


def load_yaml(text: str) -> Any:
    """The value of a YAML document of plain mappings, lists, strings, numbers, booleans and nulls.

    Raises RefusedYaml: no tags, no anchors and aliases, at most MOST_BYTES, nested at most DEEPEST levels.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise RefusedYaml(f"longer than {MOST_BYTES // 1024} KiB")
    try:
        return yaml.load(text, Loader=_PlainLoader)
    except RefusedYaml:
        raise
    # Numbers and dates that YAML takes for such and Python does not are ValueErrors.
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise RefusedYaml(one_line(str(error))[:240]) from None


def read_yaml(path: Path) -> Any:
    """The value of a YAML file; raises RefusedYaml, and OSError if it cannot be read."""
    return load_yaml(read_text(path))


def read_text(path: Path) -> str:
    """The text of a file of at most MOST_BYTES; raises RefusedYaml if it is longer or not UTF-8, OSError."""
    with open_regular(path) as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise RefusedYaml(f"longer than {MOST_BYTES // 1024} KiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedYaml(f"not UTF-8: {error}") from None


class _PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader without aliases, and with an end to nesting."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        if self.check_event(AliasEvent):
            raise RefusedYaml("anchors and aliases (&, *) are not allowed here: write the value out")
        self._depth += 1
        if self._depth > DEEPEST:
            raise RefusedYaml(f"nested deeper than {DEEPEST} levels")
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1
