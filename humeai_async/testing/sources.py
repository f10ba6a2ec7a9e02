"""The sources of a job, and what their names make happen.

A source is a URL, an uploaded file or a text. It knows nothing of jobs or scores. The marks
in its name are how a test scripts trouble without touching the server:

- `fail-job` in a URL or file name: the whole job ends as FAILED
- `stuck-job`: the whole job stays IN_PROGRESS for ever
- `missing`: this source fails, its results are null and its `error` says why
- `broken`: one file of this source fails and is listed in `results.errors`
"""

from __future__ import annotations

import posixpath
from typing import Literal
from urllib.parse import unquote

from attrs import field, frozen

from humeai_async.testing.exchange import FormPart, Record

ARCHIVES = (".zip", ".tar.gz", ".tar.bz2", ".tar.xz")
_KINDS = {
    "image": (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp"),
    "audio": (".wav", ".mp3", ".m4a", ".flac", ".ogg", ".opus", ".aac"),
    "text": (".txt", ".csv", ".json"),
}
_ALL = ("face", "burst", "prosody", "language", "ner", "facemesh")
_FITTING: dict[str, tuple[str, ...]] = {
    "image": ("face", "facemesh"),
    "audio": ("burst", "prosody", "language", "ner"),
    "text": ("language", "ner"),
    "video": _ALL,
}


@frozen
class Source:
    """One source of a job."""

    kind: Literal["url", "file", "text"]
    identity: str = field(repr=False)
    """What its predictions depend on: the URL, a file's MD5, or the text."""
    name: str
    """Its file name, as predictions call it."""
    record: Record
    """The `source` object of the predictions."""

    @classmethod
    def of_url(cls, url: str) -> Source:
        """Describe media at a URL."""
        path = url.partition("://")[2].partition("/")[2].partition("?")[0].partition("#")[0]
        name = posixpath.basename(unquote(path)) or "media"
        return cls("url", url, name, {"type": "url", "url": url})

    @classmethod
    def of_file(cls, part: FormPart) -> Source:
        """Describe an uploaded file."""
        return cls("file", part.md5, part.filename or "file", {"type": "file", **describe(part)})

    @classmethod
    def of_text(cls, text: str) -> Source:
        """Describe a text."""
        return cls("text", text, "text", {"type": "text"})

    def is_marked(self, mark: str) -> bool:
        """Whether the name asks for some trouble; texts never do."""
        return self.kind != "text" and (mark in self.name or mark in self.identity)

    @property
    def is_archive(self) -> bool:
        """Whether it holds several files."""
        return self.kind != "text" and self.name.lower().endswith(ARCHIVES)

    @property
    def file_type(self) -> str:
        """`image`, `audio`, `video` or `text`; what is not known counts as video."""
        if self.kind == "text":
            return "text"
        extension = posixpath.splitext(self.name)[1].lower()
        return next((kind for kind, known in _KINDS.items() if extension in known), "video")

    @property
    def models(self) -> tuple[str, ...]:
        """Models that find something in it."""
        return _FITTING[self.file_type]


def describe(part: FormPart) -> Record:
    """Return an uploaded file as jobs echo it."""
    return {
        "filename": part.filename,
        "content_type": part.content_type,
        "md5sum": part.md5,
    }
