"""Build the guides and the API reference into one site: python .ci/site.py FOLDER.

pdoc makes pages of modules, so each guide becomes a module whose docstring it is.
"""

from __future__ import annotations

import contextlib
import pkgutil
import re
import sys
import tempfile
import warnings
from pathlib import Path

import pdoc
from pygments.formatters import HtmlFormatter

import humeai_async

ROOMS = frozenset(
    {"batch", "bulk", "chat", "client", "decisions", "distributed", "errors", "expression"}
    | {"limiter", "pytest_plugin", "resources", "settings", "shared", "telemetry", "testing"}
    | {"types", "webhooks"}
)
"""Modules and folders that users import from."""
ORDER = (
    "first-steps", "what-lives", "from-the-official-sdk", "errors", "rate-limits", "bulk",
    "tables", "many-workers", "shared-quota", "web-backends", "testing", "logging", "versioning",
)  # fmt: skip
GUIDES = Path(humeai_async.__file__).parent / "guides"
STYLE = """
.pdoc .docstring table { display: block; overflow-x: auto; }
.pdoc .attr, .pdoc dt { overflow-wrap: anywhere; }
.pdoc .param { white-space: pre-wrap; overflow-wrap: anywhere; }
nav.pdoc h2 { font-size: 1.5rem; }
@media (prefers-color-scheme: dark) {
    :root { --pdoc-background: #1b1d20; color-scheme: dark; }
    .pdoc {
        --text: #d8dadd; --muted: #9a9fa5; --link: #8ab4f8; --link-hover: #b4cffb; --code: #25282c;
        --active: #5a5010; --accent: #2b2f33; --accent2: #4a4f55; --nav-hover: rgba(0, 0, 0, .3);
        --name: #7cc4ff; --def: #6cd07a; --annotation: #7fd6a0;
    }
    CODE
}
"""
"""What pdoc's own style lacks: tables and signatures that fit on a telephone, small headings, and
colours for those who like it dark. `CODE` stands for the colours of source text."""
DARK_CODE = "\n".join(HtmlFormatter(style="github-dark").get_token_style_defs(".pdoc .pdoc-code"))


def main(folder: str) -> None:
    """Build the site, and fail where a page has a warning."""
    site = Path(folder).resolve()
    # pdoc warns of a folder here that has the name of an installed package.
    with tempfile.TemporaryDirectory() as made, contextlib.chdir(made):
        write_guides(Path(made))
        style = Path(made) / "style"
        style.mkdir()
        (style / "custom.css").write_text(STYLE.replace("CODE", DARK_CODE), "utf-8")
        version = f"humeai_async {humeai_async.__version__}"
        pdoc.render.configure(docformat="google", footer_text=version, template_directory=style)
        sys.path.insert(0, made)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Aliases that only type checkers see stay as they are written.
            warnings.filterwarnings("ignore", "Error parsing type annotation")
            modules = ["guides", "humeai_async", *public_modules()]
            pdoc.pdoc(*modules, output_directory=site)
    pages = len(list(site.rglob("*.html")))
    print(f"{pages} pages in {folder}; begin with {Path(folder) / 'guides.html'}")


def write_guides(folder: Path) -> None:
    """Write a package `guides` with a module a guide."""
    package = folder / "guides"
    package.mkdir()
    texts = {name: (GUIDES / f"{name}.md").read_text("utf-8") for name in ORDER}
    missing = {path.stem for path in GUIDES.glob("*.md")} - set(ORDER)
    if missing:
        sys.exit(f"guides without a place in ORDER: {', '.join(sorted(missing))}")
    links = [f"- [{title_of(text)}](guides/{module_of(name)}.html)" for name, text in texts.items()]
    rooms = [f"- [humeai_async.{room}](humeai_async/{room}.html)" for room in public_rooms()]
    api = ["- [humeai_async](humeai_async.html)", *rooms]
    index = "\n".join(["# Guides", "", *links, "", "# API reference", "", *api])
    (package / "__init__.py").write_text(f"__doc__ = {index!r}\n", "utf-8")
    for name, text in texts.items():
        linked = re.sub(r"\(([\w-]+)\.md", lambda found: f"({module_of(found[1])}.html", text)
        (package / f"{module_of(name)}.py").write_text(f"__doc__ = {linked!r}\n", "utf-8")


def module_of(name: str) -> str:
    """Return the name of a guide's module."""
    return name.replace("-", "_")


def title_of(text: str) -> str:
    """Return the first heading of a guide."""
    return text.split("\n", 1)[0].removeprefix("# ")


def public_modules() -> list[str]:
    """Return the modules and folders that users import from, as pdoc names them."""
    return [*(f"humeai_async.{room}" for room in public_rooms()), r"!.*\._"]


def public_rooms() -> list[str]:
    """Return the names that stand behind `humeai_async.` there."""
    found = {module.name for module in pkgutil.iter_modules(humeai_async.__path__)}
    return sorted(found & ROOMS)


if __name__ == "__main__":
    main(*sys.argv[1:])
