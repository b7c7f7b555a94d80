"""The exceptions of falco: every message is one sentence a user can act on."""

from falco_core.reasons import Reason

MOST_SHOWN = 120
"""Characters of a wrong value that an error repeats."""


def one_line(text: str) -> str:
    """Text of others (names of files, foreign messages) as part of one line of ours.

    Runs of white space become a blank, the rest as `printable` has it.
    """
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """A text whose characters that are not printable, line ends and a terminal's commands among them, are `?`."""
    return "".join(character if character.isprintable() else "?" for character in text)


def shown(value: object) -> str:
    """A value that is not what it should be, as part of a line: the beginning of a long one."""
    text = one_line(value if isinstance(value, str) else repr(value))
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def first_line(error: Exception) -> str:
    """What a foreign exception says first, short enough to be part of one of our lines."""
    sentence = str(error).strip().splitlines()[0].split(". ")[0] if str(error).strip() else type(error).__name__
    return sentence[:160]


class FalcoError(Exception):
    """Something the user can mend; the command line prints the message alone and exits with `exit_code`."""

    exit_code = 2

    def __reduce__(self) -> tuple[object, ...]:
        # An exception is unpickled by a call with its message alone, which those with more to say cannot take.
        return _unpickled, (type(self), self.args, self.__dict__)

    @property
    def line(self) -> str:
        """What a user is told."""
        return str(self)


def _unpickled(kind: type[FalcoError], arguments: tuple[object, ...], attributes: dict[str, object]) -> FalcoError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(attributes)
    return error


class ParamsError(FalcoError):
    """A key of params.yaml is unknown, missing, or out of its range."""


class BundleError(FalcoError):
    """A model bundle is missing, incomplete, or not what its bundle.yaml says."""


class FetchError(FalcoError):
    """An upstream model file cannot be had, or is not what the registry says."""


class ProjectError(FalcoError):
    """A project folder or one of its artifacts is not what a stage expects."""


class StoreError(FalcoError):
    """A file of the store, or an artifact made of such files, does not hold what it says."""


class JudgeError(FalcoError):
    """A judge cannot be had, or does not do what a judge must: nothing that it said may be relied on."""


class GateError(FalcoError):
    """The validated dataset is outside the limits of params.gate, so nothing is released."""

    exit_code = 3


class NothingReleased(FalcoError):
    """The run is done, and not one photo may be released."""

    exit_code = 3


class UnreadablePhoto(FalcoError):
    """A photo cannot be decoded safely; `reason` is the code it is withheld with."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


class FaceError(FalcoError):
    """A face cannot be replaced: it has no sound place in its photo."""
