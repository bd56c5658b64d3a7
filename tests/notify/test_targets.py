"""[[notify]]: what is read, what is refused, and that secrets are not shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.clouds import CHINA, CUSTOM, PUBLIC, USGOV, CloudProfile
from auditor.errors import UsageProblem
from auditor.notify import Chat, LogTable, Target, Webhook, check_chats, read_targets
from tests.notify.receiving import SECRET


def configured(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "auditor.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path, environ: dict[str, str], cloud: CloudProfile = PUBLIC) -> tuple[Target, ...]:
    return read_targets(path, environ, named=True, cloud=cloud)


GOOD = '[[notify]]\nname = "siem"\nurl_from = "SIEM"\nsecret_from = "SIGN"\n'
TEAM = '[[notify]]\nname = "team"\nkind = "apprise"\nurl_from = "TEAM"\n'
TABLE = (
    '[[notify]]\nname = "sentinel"\nkind = "azure-monitor"\n'
    'endpoint = "https://dce-a1b2.chinaeast2-1.ingest.monitor.azure.cn"\n'
    f'rule = "dcr-{"0" * 32}"\nstream = "Custom-AuditorFindings_CL"\n'
)
SET = {"SIEM": "https://siem.example.com/hook", "SIGN": SECRET.decode(), "TEAM": "wecombot://11112222333344445555"}


def test_receivers_are_read_and_hide_what_is_secret(tmp_path: Path) -> None:
    found = read(configured(tmp_path, GOOD + TEAM + TABLE), SET, CHINA)
    assert [(type(each), each.name) for each in found] == [
        (Webhook, "siem"),
        (Chat, "team"),
        (LogTable, "sentinel"),
    ]
    assert all(each.on_demand for each in found)
    assert "siem.example.com" not in repr(found)
    assert "secret" not in repr(found)
    assert "1111222233334444" not in repr(found)
    assert read_targets(None, {}, named=False, cloud=PUBLIC) == ()


def test_a_receiver_may_have_wishes(tmp_path: Path) -> None:
    text = TEAM + 'lang = "zh-CN"\non_demand = false\n' + TABLE + 'rows = "all"\n'
    team, sentinel = read(configured(tmp_path, text), SET, CHINA)
    assert isinstance(team, Chat)
    assert (team.lang, team.on_demand) == ("zh-CN", False)
    assert isinstance(sentinel, LogTable)
    assert sentinel.rows == "all"


@pytest.mark.parametrize(
    ("text", "environ", "wrong"),
    [
        (GOOD, {}, "SIEM is not set"),
        (GOOD, SET | {"SIEM": "http://siem.example.com/"}, "https"),
        (GOOD, SET | {"SIEM": "https:///hook"}, "https"),
        (GOOD, SET | {"SIEM": "https://[::1/hook"}, "no URL"),
        (GOOD, SET | {"SIEM": "https://x:port/hook"}, "no URL"),
        (GOOD, SET | {"SIEM": "https://169.254.169.254/metadata"}, "metadata"),
        (GOOD, SET | {"SIEM": "https://[::ffff:169.254.169.254]/metadata"}, "metadata"),
        (GOOD, SET | {"SIEM": "https://168.63.129.16/"}, "metadata"),
        (GOOD, SET | {"SIEM": "https://metadata.google.internal/"}, "metadata"),
        (GOOD, SET | {"SIGN": "short"}, "24 bytes"),
        (GOOD + GOOD, SET, "another one"),
        (GOOD + 'url = "https://x"\n', SET, "`url` is no key"),
        (GOOD + "on_demand = 1\n", SET, "`on_demand` is not true or false"),
        (GOOD + 'lang = "zh-CN"\n', SET, "`lang` is no key of the kind `webhook`"),
        (GOOD.replace("siem", "Si em"), SET, "lower-case"),
        (GOOD + 'kind = "pager"\n', SET, "pager"),
        (GOOD + 'kind = "webhok"\n', SET, "did you mean `webhook`"),
        (TEAM + 'lang = "fr"\n', SET, "`fr` is no language"),
        (TABLE.replace("dcr-", "rule-"), SET, "`rule`"),
        (TABLE.replace("Custom-", ""), SET, "`stream`"),
        (TABLE + 'rows = "some"\n', SET, "`rows`"),
        (TABLE.replace("https://dce", "http://dce"), SET, "https"),
        ("notify = 1\n", {}, "no list of tables"),
    ],
    ids=[
        "unset", "no tls", "no host", "no url", "odd port", "metadata", "metadata in disguise", "wire server",
        "metadata by name", "short secret", "same name", "address in the file", "no truth", "not for webhooks",
        "odd name", "kind", "nearly a kind", "language", "rule", "stream", "rows", "logs without tls", "no table",
    ],
)  # fmt: skip
def test_a_mistake_is_told(tmp_path: Path, text: str, environ: dict[str, str], wrong: str) -> None:
    with pytest.raises(UsageProblem, match=wrong) as told:
        read(configured(tmp_path, text), environ, CHINA)
    assert "siem.example.com" not in str(told.value), "addresses are secrets"


@pytest.mark.parametrize(
    ("host", "cloud", "audience"),
    [
        ("dce-a1b2.eastus-1.ingest.monitor.azure.com", PUBLIC, "https://monitor.azure.com"),
        ("dcr-x-eastus.logs.z1.ingest.monitor.azure.com", PUBLIC, "https://monitor.azure.com"),
        ("dce-a1b2.chinaeast2-1.ingest.monitor.azure.cn", CHINA, "https://monitor.azure.cn"),
        ("dce-a1b2.usgovvirginia-1.ingest.monitor.azure.us", USGOV, "https://monitor.azure.us"),
        ("dce-a1b2.region-1.ingest.monitor.cloud.example", CUSTOM, "https://monitor.cloud.example"),
        ("127.0.0.1:4443", CHINA, "https://monitor.azure.cn"),
        ("dce-a1b2.eastus-1.ingest.monitor.azure.com", CHINA, None),
        ("dce-a1b2.chinaeast2-1.ingest.monitor.azure.cn", PUBLIC, None),
        ("dce-a1b2.eastus-1.metrics.ingest.monitor.azure.com", PUBLIC, None),
        ("dce-a1b2.eastus-1.control.monitor.azure.com", PUBLIC, None),
        ("evil.example.com", PUBLIC, None),
        ("x.ingest.evil.monitor.example", CUSTOM, None),
        ("ingest.monitor.azure.com.evil.example.com", PUBLIC, None),
        ("x.ingest.monitor.azure.com.evil.example.com", PUBLIC, None),
    ],
)
def test_a_token_is_for_azure_monitor_of_the_endpoints_cloud_only(
    tmp_path: Path, host: str, cloud: CloudProfile, audience: str | None
) -> None:
    text = TABLE.replace("dce-a1b2.chinaeast2-1.ingest.monitor.azure.cn", host)
    path = configured(tmp_path, text)
    if audience is None:
        with pytest.raises(UsageProblem, match=r"endpoint|of the cloud"):
            read(path, {}, cloud)
    else:
        (found,) = read(path, {}, cloud)
        assert isinstance(found, LogTable)
        assert (found.audience, found.endpoint) == (audience, f"https://{host}")


def test_a_file_that_is_merely_found_names_no_receiver(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="merely found"):
        read_targets(configured(tmp_path, GOOD), SET, named=False, cloud=PUBLIC)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # asked for by apprise itself
@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("json://chat.example.com/KEY", "without TLS"),
        ("mailto://user:KEY@smtp.example.com?from=a@example.com&to=b@example.com", "without TLS"),
        ("jsons://chat.example.com/KEY?verify=no", "verify=no"),
        ("jsons://169.254.169.254/KEY", "metadata"),
        ("nonsense://KEY", "does not understand"),
        ("file:///etc/KEY", "does not understand"),
    ],
)
def test_a_chat_that_would_leak_is_refused_before_the_first_night(address: str, wrong: str) -> None:
    with pytest.raises(UsageProblem, match=wrong) as told:
        check_chats([Chat("team", address)])
    assert "KEY" not in str(told.value)
    check_chats([Chat("team", "jsons://chat.example.com/KEY"), Chat("local", "json://127.0.0.1:1/KEY")])
