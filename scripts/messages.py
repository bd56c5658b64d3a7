"""The report's translations: `python scripts/messages.py` collects its texts and compiles the catalogues.

Texts come from the templates, the script and the modules in SOURCES; each catalogue keeps its translations, gains new
texts untranslated and loses those that nobody says any more. Needs Babel (a development requirement).
"""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "reports" / "locale"
KEYWORDS: dict[str, Any] = {"_": None, "t": None, "gettext": None, "n_": (1, 2), "ngettext": (1, 2)}
SOURCES = {
    "python": ("auditor/report/triage.py", "auditor/report/as_html.py"),
    "javascript": ("reports/templates/report.js",),
    "jinja2.ext:babel_extract": (
        "reports/templates/report.html.j2",
        "reports/templates/head.html.j2",
        "reports/templates/finding.html.j2",
        "reports/templates/picture.html.j2",
    ),
}


def said() -> Catalog:
    """Every text that the report may say, in the order of its sources."""
    catalogue = Catalog(project="auditor", charset="utf-8")
    options = {"silent": "false", "trimmed": "false"}
    for method, files in SOURCES.items():
        for name in files:
            given = options if "jinja2" in method else None
            for _, message, _, _ in extract_from_file(method, ROOT / name, keywords=KEYWORDS, options=given):
                catalogue.add(message, locations=[(name, 0)])
    return catalogue


def read(locale: str) -> Catalog:
    """The catalogue of a locale (`zh_CN`) as it lies here."""
    with (LOCALE / locale / "LC_MESSAGES" / "auditor.po").open("rb") as file:
        return read_po(file, locale=locale)


def translated(message: Message) -> bool:
    """Whether every form of it is."""
    return all(forms(message))


def forms(message: Message) -> tuple[str, ...]:
    """Its translation, or its translations by number; one empty text where there is none."""
    given = message.string
    return (given,) if isinstance(given, str) else tuple(given or ("",))


def as_po(catalogue: Catalog) -> bytes:
    """The catalogue as text that a translator edits; without line numbers, which would change for nothing."""
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)  # so that only texts differ
    packed = io.BytesIO()
    write_po(packed, catalogue, width=110, omit_header=False, include_lineno=False, sort_output=True)
    return packed.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    """The catalogue as gettext reads it."""
    packed = io.BytesIO()
    write_mo(packed, catalogue)
    return packed.getvalue()


def main() -> None:
    """Bring every catalogue up to date; exit status 1 where texts are left to translate."""
    missing = 0
    for folder in sorted(LOCALE.iterdir()):
        catalogue = read(folder.name)
        catalogue.update(said(), no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        for message in catalogue:
            if message.id and not translated(message):
                print(f"{folder.name}: not translated: {message.id}")
                missing += 1
        (folder / "LC_MESSAGES" / "auditor.po").write_bytes(as_po(catalogue))
        (folder / "LC_MESSAGES" / "auditor.mo").write_bytes(as_mo(catalogue))
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
