"""Settings: what a configuration file, the environment and flags say together, later ones winning.

`Settings` is the one list of keys: files, `AUDITOR_*` variables, command-line flags,
`docs/configuration.md` and the error that names the nearest known key are all derived from its fields.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from auditor.clouds import CUSTOM_KEYS, ENDPOINT_VARIABLES, PROFILES
from auditor.errors import AuditorError, ManyProblems, UsageProblem
from auditor.values import ResourceId, Severity

FILE_NAME = "auditor.toml"
TRACEBACK = "AUDITOR_TRACEBACK"
SERVICE_TABLES = ("schedule", "service", "notify")
"""Tables of the file that `auditor serve` reads for itself."""
FORMATS = ("html", "json", "csv", "sarif", "ocsf", "markdown", "junit", "prometheus")
GROUPINGS = (
    *("triage", "drift", "severity", "outcome", "check", "cluster", "subscription"),
    *("source", "mcsb", "cis-aks", "cis-azure", "mlps"),  # the frameworks of auditor/data/frameworks.json
)

Kind = Literal["text", "number", "switch", "path", "place", "list", "paths", "table"]
"""A `place` is a path or `-`, the standard stream; a `list` holds texts."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of one setting besides its name, type and default."""

    kind: Kind
    help: str
    choices: tuple[str, ...] = ()
    grammar: Callable[[str], str] | None = None
    """Returns the value in the form kept, or raises ValueError saying what it should be."""
    explicit: bool = False
    """Whether a configuration file that was merely found in the working directory may not set it."""
    flag: bool = True
    """Whether `auditor scan` has a flag of this name."""
    in_file: bool = True


def _key(
    kind: Kind,
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    grammar: Callable[[str], str] | None = None,
    explicit: bool = False,
    flag: bool = True,
    in_file: bool = True,
) -> Any:
    key = Key(kind, help, choices, grammar, explicit, flag, in_file)
    if kind == "table":
        return field(default_factory=lambda: MappingProxyType({}), metadata={"key": key})
    return field(default=default, metadata={"key": key})


def _subscription(text: str) -> str:
    """A subscription's id, lower case; `/subscriptions/ID` is taken too."""
    name = re.sub(r"^/?subscriptions/", "", text.strip(), flags=re.IGNORECASE).rstrip("/").casefold()
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name):
        raise ValueError("is no subscription id (such as 11111111-2222-3333-4444-555555555555)")
    return name


def _management_group(text: str) -> str:
    """A management group's id (not its display name); its full ARM id is taken too."""
    prefix = r"^/?providers/microsoft\.management/managementgroups/"
    name = re.sub(prefix, "", text.strip(), flags=re.IGNORECASE).rstrip("/")
    if not re.fullmatch(r"[\w().-]{1,90}", name):
        raise ValueError("is no management group id (letters, digits, - _ . ( ) and no spaces)")
    return name


def _guid(text: str) -> str:
    name = text.strip().casefold()
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name):
        raise ValueError("is no id of the form 11111111-2222-3333-4444-555555555555")
    return name


def _tenant(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.-]*", text.strip()):
        raise ValueError("is no tenant id or domain")
    return text.strip()


def _resource_id(text: str) -> str:
    try:
        return str(ResourceId.parse(text))
    except ValueError:
        raise ValueError("is no resource id (such as /subscriptions/…/resourceGroups/…)") from None


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise ValueError("is no IP address") from None


def _prefix(text: str) -> str:
    try:
        # Host bits are allowed here as Azure allows them: 10.0.0.5/24 means 10.0.0.0/24.
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError("is no address or prefix (such as 10.0.0.0/16)") from None


def _positive(text: str) -> str:
    if not float(text) > 0:
        raise ValueError("must be above 0")
    return text


def _seconds(text: str) -> str:
    if not 0 < float(text) <= 86_400:
        raise ValueError("must be above 0 and at most 86400 (a day)")
    return text


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a scan can be told. Lists are tuples, tables are read-only mappings, paths are as given."""

    cloud: str = _key("text", "public", "Which cloud to speak to.", choices=tuple(PROFILES))
    tenant: str | None = _key("text", None, "The tenant to sign in to, by id or domain.", grammar=_tenant)
    subscription: tuple[str, ...] = _key(
        "list", (), "Subscriptions to audit; without any, all that can be read.", grammar=_subscription
    )
    management_group: tuple[str, ...] = _key(
        "list", (), "Management groups whose subscriptions to audit.", grammar=_management_group
    )
    clusters: str = _key(
        "text",
        "all",
        "Every AKS cluster in scope, or only those attached to an Azure ML workspace.",
        choices=("all", "attached"),
    )
    check: tuple[str, ...] = _key("list", (), "Only these checks, by id or glob (`nsg-*`).")
    exclude_check: tuple[str, ...] = _key("list", (), "Not these checks, by id or glob.")
    checks_dir: tuple[Path, ...] = _key(
        "paths", (), "Folders with checks of your own; they are loaded as code.", explicit=True
    )
    baseline: str = _key(
        "text",
        "auto",
        "What to compare with: `auto` (the pinned run of these scopes, else the newest complete one), "
        "`none`, a run's id or a report file.",
    )
    waivers: Path | None = _key("path", None, "A file of accepted deviations.")
    config: Path | None = _key("path", None, f"The configuration file to read instead of ./{FILE_NAME}.", in_file=False)
    format: tuple[str, ...] = _key("list", ("html", "json"), "What to write.", choices=FORMATS)
    output: str = _key(
        "place", "auditor-report", "The folder to write to; `-` writes the one report to standard output."
    )
    template: Path | None = _key(
        "path", None, "A Jinja2 template to render beside the built-in formats.", explicit=True
    )
    group_by: str = _key("text", "triage", "How reports group findings.", choices=GROUPINGS)
    fail_on: str = _key(
        "text",
        "high",
        "The least severity of a failing finding that makes the exit status 1.",
        choices=(*map(str, Severity), "never"),
    )
    fail_on_drift: bool = _key("switch", False, "Only new and changed findings count for the exit status.")
    strict: bool = _key("switch", False, "Count warnings and unknowns as failures for the exit status.")
    skip_broken_lines: bool = _key("switch", False, "Pass over broken lines of a snapshot; the run is then incomplete.")
    lang: str | None = _key("text", None, "The language of reports; without it the locale's.", choices=("en", "zh-CN"))
    service_tags: Path | None = _key("path", None, "Microsoft's published service tag file, where no tags can be read.")
    no_history: bool = _key("switch", False, "Neither read nor write the history of runs.")
    max_rps: float | None = _key("number", None, "At most this many requests a second.", grammar=_positive)
    deadline: float = _key(
        "number",
        3600.0,
        "Seconds after which a scan waits for Azure no more; what is missing then is a gap.",
        grammar=_seconds,
        flag=False,
    )
    request_timeout: float = _key(
        "number",
        60.0,
        "Seconds of silence after which a request is given up and repeated; a whole answer may take twice as long.",
        grammar=_seconds,
        flag=False,
    )
    quiet: bool = _key("switch", False, "Say nothing on standard error but errors.")
    log_format: str = _key("text", "text", "How log lines look.", choices=("text", "json"))
    notify: bool = _key(
        "switch",
        False,
        "Tell the receivers of [[notify]] what is new, changed or resolved; the configuration file must be named.",
        in_file=False,
    )
    snapshot: tuple[str, ...] = _key(
        "list", (), "Audit these snapshot files instead of Azure; `-` reads standard input."
    )
    history: str | None = _key(
        "text",
        None,
        "Where runs are kept: an SQLAlchemy URL; without it SQLite in the user's data folder.",
        explicit=True,
        flag=False,
    )
    severity: Mapping[str, str] = _key(
        "table",
        None,
        "Other severities for checks, by check id.",
        choices=tuple(map(str, Severity)),
        flag=False,
    )
    principals: Mapping[str, str] = _key(
        "table",
        None,
        "Object ids of service principals by application id, where Microsoft Graph cannot be read.",
        grammar=_guid,
        flag=False,
    )
    registries: tuple[str, ...] = _key(
        "list",
        (),
        "Container registries that clusters use besides their workspaces' own, by resource id.",
        grammar=_resource_id,
        flag=False,
    )
    scoring_addresses: tuple[str, ...] = _key(
        "list",
        (),
        "The scoring endpoints' IP addresses, where Azure does not tell them.",
        grammar=_address,
        flag=False,
    )
    scoring_clients: tuple[str, ...] = _key(
        "list", (), "The prefixes that scoring clients call from.", grammar=_prefix, flag=False
    )
    deployers: tuple[str, ...] = _key(
        "list", (), "Object ids of those who deploy models into the network.", grammar=_guid, flag=False
    )
    aci_subnets: tuple[str, ...] = _key(
        "list", (), "Subnets meant for container groups, by resource id.", grammar=_resource_id, flag=False
    )
    custom_cloud: Mapping[str, str] = _key(
        "table",
        None,
        "Names of the cloud `custom` that differ from the public cloud's. Endpoints come from the environment only.",
        flag=False,
    )


def keys() -> dict[str, Key]:
    """Every setting, in the order of the documentation."""
    return {each.name: each.metadata["key"] for each in dataclasses.fields(Settings)}


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"AUDITOR_{name.upper()}"


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a value was said, for messages, and from which folder its relative paths count."""

    where: str
    folder: Path | None = None


def load_settings(flags: Mapping[str, Any], environ: Mapping[str, str], working_directory: Path) -> Settings:
    """The settings of one call. `flags` holds what was given on the command line, by key; None means not
    given.

    Raises UsageProblem (ManyProblems for several) that names file and line, variable or flag of every
    mistake.
    """
    problems: list[AuditorError] = []
    values: dict[str, Any] = {}
    path, explicit = configuration_file(flags, environ, working_directory)
    if path is not None:
        values |= _file_values(path, found=not explicit, problems=problems)
    values |= _environment_values(environ, problems)
    for name, given in flags.items():
        if given is not None and given != ():
            _take(values, name, given, _Origin(f"after --{name.replace('_', '-')}"), problems)
    settings = Settings(**values) if not problems else None
    if settings is not None:
        problems += _contradictions(settings)
    if settings is None or problems:
        raise problems[0] if len(problems) == 1 else ManyProblems(problems)
    return settings


def configuration_file(
    flags: Mapping[str, Any], environ: Mapping[str, str], working_directory: Path
) -> tuple[Path | None, bool]:
    """The configuration file of a call, and whether somebody named it; None if there is none."""
    explicit = flags.get("config") or environ.get(variable("config"))
    path = _placed(Path(explicit), _Origin("of --config")) if explicit else working_directory / FILE_NAME
    return (path if explicit or path.is_file() else None), bool(explicit)


def _contradictions(settings: Settings) -> list[AuditorError]:
    found: list[AuditorError] = []
    if settings.output == "-" and len(settings.format) != 1:
        found.append(UsageProblem("`-o -` writes one report", hint="name it: --format json -o - (or csv, sarif, …)"))
    if settings.snapshot.count("-") > 1:
        found.append(UsageProblem("standard input can be read once: `--snapshot -` stands twice"))
    return found


def _file_values(path: Path, *, found: bool, problems: list[AuditorError]) -> dict[str, Any]:
    """The values of a configuration file; `found` says that nobody named it."""
    shown = str(path) if not found else path.name
    document: dict[str, Any]
    try:
        text = path.read_bytes().decode("utf-8-sig")
        document = tomllib.loads(text)
    except OSError as error:
        raise UsageProblem(f"cannot read the configuration file {shown}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{shown} is not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        # tomllib says "… (at line 3, column 5)".
        raise UsageProblem(f"{shown} is not TOML: {_lower(str(error))}") from error
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name in SERVICE_TABLES:
            continue
        where = f"in {shown}, line {_line_of(text, name)}"
        key = keys().get(name)
        if key is None or not key.in_file:
            known = [*(n for n, k in keys().items() if k.in_file), *SERVICE_TABLES]
            problems.append(_unknown(name, known, where))
        elif key.explicit and found:
            problems.append(
                UsageProblem(
                    f"`{name}` {where}: a file merely found in the working directory may not set it",
                    hint=f"name the file (--config {shown}) or set {variable(name)}",
                )
            )
        else:
            _take(values, name, value, _Origin(where, path.absolute().parent), problems)
    return values


_SERVICE_LINKS = re.compile(r"AUDITOR_(\w+_)?(SERVICE_(HOST|PORT)|PORT)(_\w+)?")
"""Kubernetes puts such variables into every container beside a service called `auditor` or `auditor-…`."""


def _environment_values(environ: Mapping[str, str], problems: list[AuditorError]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    names = {variable(name): name for name in keys()}
    others = (*ENDPOINT_VARIABLES, TRACEBACK)
    for spelled, text in sorted(environ.items()):
        if not spelled.startswith("AUDITOR_") or spelled in others:
            continue
        if spelled not in names:
            if not _SERVICE_LINKS.fullmatch(spelled):
                problems.append(_unknown(spelled, [*names, *others], "in the environment"))
        elif text.strip():
            name = names[spelled]
            _take(values, name, _parsed(keys()[name], text), _Origin(f"in {spelled}"), problems)
    return values


def _parsed(key: Key, text: str) -> Any:
    """An environment variable's text as the value that a file would hold; wrong ones are left as text."""
    match key.kind:
        case "list" | "paths":
            return [part.strip() for part in text.split(",") if part.strip()]
        case "table":
            pairs = [part.partition("=") for part in text.split(",") if part.strip()]
            return {name.strip(): value.strip() for name, _, value in pairs}
        case "switch":
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(
                text.strip().casefold(), text
            )
        case "number":
            try:
                return float(text)
            except ValueError:
                return text
        case "text" | "path" | "place":
            return text.strip()


def _take(values: dict[str, Any], name: str, given: Any, origin: _Origin, problems: list[AuditorError]) -> None:
    """Put `given` into `values` in the type of its setting, or say what is wrong with it."""
    key = keys()[name]
    try:
        values[name] = _converted(name, key, given, origin)
    except ManyProblems as several:
        problems += several.problems
    except UsageProblem as problem:
        problems.append(problem)


def _converted(name: str, key: Key, given: Any, origin: _Origin) -> Any:
    def wrong(expected: str) -> UsageProblem:
        return UsageProblem(f"`{name}` {origin.where} must be {expected}, not {_shown(given)}")

    match key.kind:
        case "switch":
            if not isinstance(given, bool):
                raise wrong("true or false")
            return given
        case "number":
            if isinstance(given, bool) or not isinstance(given, (int, float)):
                raise wrong("a number")
            _checked(name, key, str(given), origin)
            return float(given)
        case "text":
            if not isinstance(given, str):
                raise wrong("text")
            return _checked(name, key, given, origin)
        case "path":
            if not isinstance(given, (str, Path)):
                raise wrong("a path")
            return _placed(Path(given), origin)
        case "place":
            if not isinstance(given, (str, Path)) or not str(given).strip():
                raise wrong("a path")
            return _stream_or_path(str(given), origin)
        case "list" | "paths":
            if isinstance(given, str) or not isinstance(given, (list, tuple)):
                raise wrong("a list")
            if not all(isinstance(each, (str, Path)) for each in given):
                raise wrong("a list of texts")
            if key.kind == "paths":
                return tuple(_placed(Path(each), origin) for each in given)
            return _each(name, key, [str(each) for each in given], origin)
        case "table":
            if not isinstance(given, Mapping) or not all(isinstance(v, str) for v in given.values()):
                raise wrong("a table of texts")
            return _table(name, key, given, origin)


def _each(name: str, key: Key, given: list[str], origin: _Origin) -> tuple[str, ...]:
    """Every value checked, in order, once."""
    problems: list[AuditorError] = []
    kept: dict[str, None] = {}
    for text in given:
        try:
            kept[_checked(name, key, text, origin)] = None
        except UsageProblem as problem:
            problems.append(problem)
    if problems:
        raise ManyProblems(problems)
    if name == "snapshot":
        return tuple(_stream_or_path(text, origin) for text in given)
    return tuple(kept)


def _table(name: str, key: Key, given: Mapping[str, str], origin: _Origin) -> Mapping[str, str]:
    problems: list[AuditorError] = []
    kept: dict[str, str] = {}
    for entry, text in given.items():
        if name == "custom_cloud" and entry not in CUSTOM_KEYS:
            problems.append(_unknown(entry, CUSTOM_KEYS, f"under [custom_cloud] {origin.where}"))
            continue
        try:
            word = _checked("principals", key, entry, origin) if name == "principals" else entry
            kept[word] = _checked(f"{name}.{entry}", key, text, origin)
        except UsageProblem as problem:
            problems.append(problem)
    if problems:
        raise ManyProblems(problems)
    return MappingProxyType(kept)


def _checked(name: str, key: Key, text: str, origin: _Origin) -> str:
    """One text value against the setting's choices and grammar."""
    if key.choices:
        known = {choice.casefold(): choice for choice in key.choices}
        if text.casefold() not in known:
            near = difflib.get_close_matches(text.casefold(), known, n=1, cutoff=0.5)
            did = f"; did you mean `{known[near[0]]}`?" if near else ""
            raise UsageProblem(
                f"`{text}` {origin.where} is no {_noun(name)}{did}", hint="one of " + ", ".join(key.choices)
            )
        return known[text.casefold()]
    if key.grammar:
        try:
            return key.grammar(text)
        except ValueError as error:
            raise UsageProblem(f"`{text}` {origin.where} {error}") from None
    if not text.strip():
        raise UsageProblem(f"`{name}` {origin.where} is empty")
    return text


_NOUNS = {
    "fail_on": "severity",
    "lang": "language",
    "group_by": "grouping",
    "clusters": "choice of clusters",
    "log_format": "log format",
}


def _noun(name: str) -> str:
    """What a value of a setting with choices is called."""
    return "severity" if name.startswith("severity.") else _NOUNS.get(name, name)


def _stream_or_path(text: str, origin: _Origin) -> str:
    return text if text == "-" else str(_placed(Path(text), origin))


def _placed(path: Path, origin: _Origin) -> Path:
    """A path said in a file counts from that file's folder, any other from the working directory."""
    if "\0" in str(path):
        raise UsageProblem(f"the path `{path}` {origin.where} holds a NUL character")
    try:
        path = path.expanduser()
    except RuntimeError:
        raise UsageProblem(f"the path `{path}` {origin.where} names a user who has no home here") from None
    return origin.folder / path if origin.folder and not path.is_absolute() else path


def _unknown(name: str, known: Any, where: str) -> UsageProblem:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    what = "variable" if name.startswith("AUDITOR_") else "key"
    did = f"; did you mean `{near[0]}`?" if near else ""
    hint = None if near else "docs/configuration.md lists all"
    return UsageProblem(f"unknown {what} `{name}` {where}{did}", hint=hint)


def _line_of(text: str, name: str) -> int:
    """The line on which a top-level key or table stands; 1 if it is spelled in a way we do not look for."""
    spelled = rf"[\"']?{re.escape(name)}[\"']?"
    pattern = re.compile(rf"\s*(?:{spelled}\s*[.=]|\[+\s*{spelled}\s*[\].])")
    for number, line in enumerate(text.splitlines(), start=1):
        if pattern.match(line):
            return number
    return 1


def _shown(value: object) -> str:
    """A value of the wrong type, for a message."""
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, (str, int, float)):
        return f"`{value}`"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "a table" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
