"""Arguments of a chat's messages, checked before anything is sent.

Each function refuses one kind of bad argument with an `InvalidArgumentError` that says what to
write instead. They know no connection; `socket.py` calls them.
"""

from __future__ import annotations

from typing import cast

from humeai_async.errors import InvalidArgumentError


def check_str(name: str, value: object) -> None:
    """Refuse what is not a text.

    Raises:
        InvalidArgumentError: `field` names the argument.
    """
    if isinstance(value, str):
        return
    if isinstance(value, (bytes, bytearray)):
        raise wrong_type(name, value, f"a str; decode it first: {name}.decode()")
    if type(value) in {dict, list, tuple}:
        raise wrong_type(name, value, f"a str; write it as JSON first: json.dumps({name})")
    raise wrong_type(name, value, f"a str; write str({name}) if that is what you mean")


def check_filled(name: str, value: object) -> None:
    """Refuse what is not a text, or an empty one.

    Raises:
        InvalidArgumentError: `field` names the argument.
    """
    check_str(name, value)
    if not value:
        raise InvalidArgumentError(f"{name} must not be empty", field=name)


def check_audio(value: object) -> bytes:
    """Return sound as bytes.

    Raises:
        InvalidArgumentError: It is empty, or not bytes.
    """
    if isinstance(value, str):
        raise wrong_type(
            "audio", value, "bytes; if it is base64 already, chat.send(AudioInput(data=audio))"
        )
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise wrong_type("audio", value, "bytes; of an array of samples send audio.tobytes()")
    audio = bytes(cast("bytes", value))
    if not audio:
        raise InvalidArgumentError("audio must not be empty", field="audio")
    return audio


def wrong_type(name: str, value: object, instead: str) -> InvalidArgumentError:
    """Return the error that names an argument's type and what it must be instead."""
    return InvalidArgumentError(
        f"{name} is of type {type(value).__name__}, but must be {instead}", field=name
    )
