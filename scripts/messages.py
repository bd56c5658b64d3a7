"""The translations: `python scripts/messages.py` collects what is said and compiles the catalogues.

Two domains. `auditor` is the furniture of reports and programs: texts marked in the templates, the script and the
modules in SOURCES. `verdicts` is what findings say, found by `scripts/sentences.py` without marks. Each catalogue keeps
its translations, gains new texts untranslated and loses those that nobody says any more. Needs Babel (a development
requirement). `--missing FILE` writes what is left to translate as JSON; `--add FILE` takes translations from one.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import sentences  # noqa: E402 - run as a file, the project is not on the path before

LOCALE = ROOT / "reports" / "locale"
KEYWORDS: dict[str, Any] = {"_": None, "t": None, "gettext": None, "n_": (1, 2), "ngettext": (1, 2)}
SOURCES = {
    "python": (
        "auditor/report/triage.py",
        "auditor/report/as_html.py",
        "auditor/report/as_markdown.py",
        "auditor/report/wording.py",
        "auditor/notify/message.py",
        "auditor/cli/audit.py",
        "auditor/cli/telling.py",
        "auditor/cli/commands/explain.py",
    ),
    "javascript": ("reports/templates/report.js",),
    "jinja2.ext:babel_extract": (
        "reports/templates/report.html.j2",
        "reports/templates/head.html.j2",
        "reports/templates/finding.html.j2",
        "reports/templates/page.html.j2",
        "reports/templates/login.html.j2",
        "reports/templates/dashboard.html.j2",
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


def told() -> Catalog:
    """Every text that findings say."""
    catalogue = Catalog(project="auditor", charset="utf-8")
    for text, files in sentences.texts().items():
        catalogue.add(text, locations=[(name, 0) for name in files])
    return catalogue


DOMAINS: dict[str, Callable[[], Catalog]] = {"auditor": said, "verdicts": told}


def read(locale: str, domain: str = "auditor") -> Catalog:
    """The catalogue of a locale (`zh_CN`) as it lies here; an empty one where there is none yet."""
    path = LOCALE / locale / "LC_MESSAGES" / f"{domain}.po"
    if not path.is_file():
        return Catalog(locale=locale, project="auditor", charset="utf-8")
    with path.open("rb") as file:
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


def updated(locale: str, domain: str) -> Catalog:
    """The catalogue with what is said today, and nothing else."""
    catalogue = read(locale, domain)
    catalogue.update(DOMAINS[domain](), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    return catalogue


def main() -> None:
    """Bring every catalogue up to date; exit status 1 where texts are left to translate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missing", type=Path, metavar="FILE", help="write texts without a translation, as JSON")
    parser.add_argument("--add", type=Path, metavar="FILE", help="take translations from a JSON object")
    arguments = parser.parse_args()
    given: dict[str, Any] = json.loads(arguments.add.read_text(encoding="utf-8")) if arguments.add else {}
    missing: list[str] = []
    for folder in sorted(LOCALE.iterdir()):
        for domain in DOMAINS:
            catalogue = updated(folder.name, domain)
            for message in catalogue:
                if not message.id or translated(message):
                    continue
                text = message.id if isinstance(message.id, str) else message.id[0]
                message.string = given.get(text, message.string)
                if not translated(message):
                    missing.append(text)
                    print(f"{folder.name}, {domain}: not translated: {text}")
            (folder / "LC_MESSAGES" / f"{domain}.po").write_bytes(as_po(catalogue))
            (folder / "LC_MESSAGES" / f"{domain}.mo").write_bytes(as_mo(catalogue))
    if arguments.missing:
        arguments.missing.write_text(json.dumps(missing, ensure_ascii=False, indent=1), encoding="utf-8")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
