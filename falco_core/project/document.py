"""A user's params.yaml as a document: values change, comments and order stay."""

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from falco_core.errors import ProjectError, one_line
from falco_core.strict_yaml import load_yaml, read_text

_PARAMS_HEADER = "# Every parameter of falco: docs/params.md says what each does. Unknown keys are errors.\n"


def open_document(path: Path) -> CommentedMap:
    """The user's params.yaml with its comments, or a new one."""
    if not path.exists():
        document = CommentedMap({"input": CommentedMap()})
        document.yaml_set_start_comment(_PARAMS_HEADER.strip("# \n"))
        return document
    try:
        text = read_text(path)
        load_yaml(text)  # refuses what is more than plain values, before anything else reads it
        document = YAML().load(text)
    except (YAMLError, ValueError) as error:
        raise ProjectError(f"{path}: not readable as YAML: {one_line(str(error))}") from None
    except OSError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror}") from None
    if not isinstance(document, CommentedMap):
        raise ProjectError(f"{path}: expected sections such as `align:`")
    return document


def set_value(section: CommentedMap, parts: list[str], value: Any, key: str) -> None:
    """Set a value by the parts of its dotted key; raises ProjectError (naming `key`) where a part is no section."""
    for part in parts[:-1]:
        section = section.setdefault(part, CommentedMap())
        if not isinstance(section, CommentedMap):
            raise ProjectError(f"{key}: {part} is not a section of params.yaml")
    if parts[-1] not in section or section[parts[-1]] != value:
        section[parts[-1]] = value


def add_missing(document: CommentedMap, complete: dict[str, Any]) -> None:
    """Write defaults out: DVC wants to find every key it watches."""
    for key, value in complete.items():
        if isinstance(value, dict):
            add_missing(document.setdefault(key, CommentedMap()), value)
        else:
            document.setdefault(key, value)


def text_of(document: CommentedMap) -> str:
    """The document as YAML text."""
    stream = io.StringIO()
    writer = YAML()
    writer.width = 4096
    # Nulls are written as `null`, as users write them.
    writer.representer.add_representer(type(None), lambda r, _: r.represent_scalar("tag:yaml.org,2002:null", "null"))
    writer.dump(document, stream)
    return stream.getvalue()
