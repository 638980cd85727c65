"""Client programs of four languages, each doing what people do first: load, list, create, ping, delete."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
import requests

from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import KEY, Server, body

NODE = """
const [url, key, text] = process.argv.slice(1);
const headers = {'X-API-Key': key, 'Content-Type': 'application/json'};
const call = (method, path, body) => fetch(url + path, {method, headers, body});
await call('GET', '/user/configs').then(r => { if (!r.ok) throw r.status; });
const made = await (await call('POST', '/connections', text)).json();
const all = await (await call('GET', '/connections')).json();
const ping = await (await call('POST', `/connections/${made.id}/ping`)).json();
const gone = await call('DELETE', `/connections/${made.id}`);
console.log(JSON.stringify({id: made.id, listed: all.some(c => c.id === made.id), ping: ping.ping, gone: gone.ok}));
"""
POWERSHELL = """
param($Url, $Key, $Text)
$headers = @{ 'X-API-Key' = $Key; 'Content-Type' = 'application/json' }
Invoke-RestMethod -Uri "$Url/user/configs" -Headers $headers | Out-Null
$made = Invoke-RestMethod -Uri "$Url/connections" -Headers $headers -Method Post -Body $Text
$all = Invoke-RestMethod -Uri "$Url/connections" -Headers $headers
$ping = Invoke-RestMethod -Uri "$Url/connections/$($made.id)/ping" -Headers $headers -Method Post
Invoke-RestMethod -Uri "$Url/connections/$($made.id)" -Headers $headers -Method Delete | Out-Null
@{ id = $made.id; listed = ($all.id -contains $made.id); ping = $ping.ping; gone = $true } | ConvertTo-Json
"""


def curl(url: str, key: str, text: str) -> dict[str, Any]:
    def call(method: str, path: str, *more: str) -> str:
        command = ["curl", "-sS", "--fail", "-X", method, f"{url}{path}", "-H", f"X-API-Key: {key}", *more]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    call("GET", "/user/configs")
    made = json.loads(call("POST", "/connections", "-H", "Content-Type: application/json", "-d", text))
    listed = json.loads(call("GET", "/connections"))
    ping = json.loads(call("POST", f"/connections/{made['id']}/ping"))
    gone = call("DELETE", f"/connections/{made['id']}") == ""
    return {"id": made["id"], "listed": made["id"] in {c["id"] for c in listed}, "ping": ping["ping"], "gone": gone}


def python(url: str, key: str, text: str) -> dict[str, Any]:
    with requests.Session() as session:
        session.headers.update({"X-API-Key": key, "Content-Type": "application/json"})
        session.get(f"{url}/user/configs").raise_for_status()
        made = session.post(f"{url}/connections", json=json.loads(text)).json()
        listed = session.get(f"{url}/connections").json()
        ping = session.post(f"{url}/connections/{made['id']}/ping").json()
        gone = session.delete(f"{url}/connections/{made['id']}").ok
    return {"id": made["id"], "listed": made["id"] in {c["id"] for c in listed}, "ping": ping["ping"], "gone": gone}


def node(url: str, key: str, text: str) -> dict[str, Any]:
    command = ["node", "--input-type=module", "-e", NODE, url, key, text]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def powershell(url: str, key: str, text: str) -> dict[str, Any]:
    script = f"& {{ {POWERSHELL} }} '{url}' '{key}' '{text}'"
    done = subprocess.run(["pwsh", "-NoProfile", "-Command", script], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("program", "client"), [("curl", curl), ("python3", python), ("node", node), ("pwsh", powershell)]
)
def test_a_client_of_each_language_does_the_first_calls(
    program: str, client: Any, server: Server, mysql_db: ConnectionSettings
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    found = client(server.url, KEY, json.dumps(body(mysql_db, "mysql-source")))
    assert found["id"].startswith("conn_")
    assert (found["listed"], found["ping"], found["gone"]) == (True, "ok", True)
