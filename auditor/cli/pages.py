"""The pages of checks, for the terminal, for docs/checks and for the README: all from the checks themselves."""

from __future__ import annotations

from auditor.clouds import CHINA, PUBLIC
from auditor.evaluate import Catalogue, Check, load_catalogue


def check_page(check: Check) -> str:
    """A check's page in Markdown: what is declared of it, and its docstring."""
    title, _, rest = check.page.partition("\n")
    return f"# {check.id}\n\n{title.strip()}\n\n{_facts(check)}\n{rest.strip()}\n\n{_mend(check)}"


def _facts(check: Check) -> str:
    source = f"{check.source.document}, {check.source.section}"
    if check.source.path:
        path = check.source.path.lstrip("/")
        links = f"[public]({PUBLIC.docs}/{path}), [Azure China]({CHINA.docs}/{path})"
        source = f"{source} ({links})"
    rows = {
        "Severity": str(check.severity),
        "About": ", ".join(sorted(words(kind.__name__) for kind in check.subjects)),
        "Source": source,
        "Statements of the source document": ", ".join(check.clauses),
        "Reads besides": ", ".join(f"`{each}`" for each in check.reads),
        "Version": str(check.version),
        "Former ids": ", ".join(f"`{each}`" for each in check.aliases),
    }
    return "| | |\n| --- | --- |\n" + "".join(f"| {name} | {value} |\n" for name, value in rows.items() if value)


def _mend(check: Check) -> str:
    if not check.mend.summary:
        return ""
    commands = "".join(f"    {' '.join(command)}\n" for command in check.mend.commands)
    summary = check.mend.summary[0].upper() + check.mend.summary[1:].rstrip(".") + "."
    return f"## How to mend it\n\n{summary}\n" + (f"\n{commands}" if commands else "")


def words(name: str) -> str:
    """`ContainerGroup` as `container group`."""
    return "".join(f" {c.lower()}" if c.isupper() and at else c.lower() for at, c in enumerate(name))


def check_pages() -> dict[str, str]:
    """docs/checks: a page a built-in check, and the index."""
    catalogue = load_catalogue()
    pages = {f"{check.id}.md": check_page(check) for check in catalogue}
    pages["index.md"] = f"# Checks\n\n{catalogue_table('')}"
    return pages


def catalogue_table(folder: str, catalogue: Catalogue | None = None) -> str:
    """The built-in checks as a table whose links begin with `folder`."""
    rows = [
        f"| [`{check.id}`]({folder}{check.id}.md) | {check.title} | {check.severity} |"
        for check in (load_catalogue() if catalogue is None else catalogue)
    ]
    return "\n".join(["| check | what must hold | severity |", "| --- | --- | --- |", *rows, ""])
