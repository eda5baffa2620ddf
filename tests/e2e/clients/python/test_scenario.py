"""What a platform does with Cloudflare's Python SDK, from the first namespace to the last deletion, in one story: each test
stands on those before it, and what was uploaded answers.

API, TOKEN, ACCOUNT: where, and as whom. WORKERS: where the Workers listen.
"""

import base64
import hashlib
import hmac
import json
import os
import urllib.error
import urllib.request

import pytest
from cloudflare import APIStatusError, Cloudflare

ACCOUNT = os.environ["ACCOUNT"]
NAMESPACE = "customers"
PATH = f"/accounts/{ACCOUNT}/workers/dispatch/namespaces/{NAMESPACE}"
ES_MODULE = "application/javascript+module"

client = Cloudflare(
    api_token=os.environ["TOKEN"], base_url=os.environ["API"], max_retries=0, _strict_response_validation=True
)
namespaces = client.workers_for_platforms.dispatch.namespaces
scripts = namespaces.scripts
of_account = {"account_id": ACCOUNT}
there = {"account_id": ACCOUNT, "dispatch_namespace": NAMESPACE}

DISPATCHER = b"""
export default {
  async fetch(request, env) {
    try {
      return await env.DISPATCHER.get(new URL(request.url).hostname.split(".")[0]).fetch(request);
    } catch (error) {
      return new Response(error.message, { status: 500 });
    }
  },
};
"""

CUSTOMER = b"""
import { plan } from "./plan.mjs";
export default {
  async fetch(request, { PLAN, KEY, SIGNING }) {
    const signature = SIGNING && await crypto.subtle.sign("HMAC", SIGNING, new TextEncoder().encode("message"));
    return Response.json({
      plan: plan(PLAN), key: KEY ?? null,
      signature: signature && [...new Uint8Array(signature)].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
    });
  },
};
"""


def answer(name, path="/"):
    """What a Worker answers: status, body, type."""
    request = urllib.request.Request(
        f"http://{os.environ['WORKERS']}{path}", headers={"Host": f"{name}.apps.example"}
    )
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read().decode(), response.headers["content-type"]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers["content-type"]


def said(name):
    return json.loads(answer(name)[1])


def upload(name, tags):
    return scripts.update(
        name,
        **there,
        metadata={
            "main_module": "index.mjs",
            "compatibility_date": "2026-01-01",
            "tags": tags,
            "bindings": [{"type": "plain_text", "name": "PLAN", "text": "gold"}],
        },
        files=[
            ("index.mjs", CUSTOMER, ES_MODULE),
            ("plan.mjs", b"export const plan = (name) => `the ${name} plan`;", ES_MODULE),
        ],
    )


def refused(code, call):
    with pytest.raises(APIStatusError) as caught:
        call()
    assert [error.code for error in caught.value.errors] == [code]


def test_a_namespace_is_made_listed_and_shown():
    made = namespaces.create(**of_account, name=NAMESPACE)
    assert [it.namespace_name for it in namespaces.list(**of_account)] == [NAMESPACE]
    assert namespaces.get(NAMESPACE, **of_account).namespace_id == made.namespace_id
    refused(100120, lambda: namespaces.create(**of_account, name=NAMESPACE))


def test_a_dispatch_worker_and_a_customers_worker_are_uploaded_and_answer():
    binding = {"type": "dispatch_namespace", "name": "DISPATCHER", "namespace": NAMESPACE}
    client.workers.scripts.update(
        "dispatcher",
        **of_account,
        metadata={"main_module": "index.mjs", "bindings": [binding]},
        files=[("index.mjs", DISPATCHER, ES_MODULE)],
    )
    uploaded = upload("acme", ["paid", "eu"])
    assert (uploaded.id, uploaded.entry_point, uploaded.handlers) == ("acme", "index.mjs", ["fetch"])
    assert said("acme") == {"plan": "the gold plan", "key": None}
    assert scripts.get("acme", **there).script.etag == uploaded.etag
    assert [binding.name for binding in scripts.bindings.get("acme", **there)] == ["PLAN"]


def test_secrets_reach_the_worker_and_their_values_nobody_else():
    scripts.secrets.update("acme", **there, name="KEY", text="one", type="secret_text")
    assert said("acme")["key"] == "one"
    scripts.secrets.update(
        "acme",
        **there,
        name="SIGNING",
        type="secret_key",
        algorithm={"name": "HMAC", "hash": "SHA-256"},
        format="raw",
        usages=["sign"],
        key_base64=base64.b64encode(b"hunter2").decode(),
    )
    assert said("acme")["signature"] == hmac.new(b"hunter2", b"message", hashlib.sha256).hexdigest()
    assert sorted(secret.name for secret in scripts.secrets.list("acme", **there)) == ["KEY", "SIGNING"]

    two = {"name": "KEY", "text": "two", "type": "secret_text"}
    scripts.secrets.bulk_update("acme", **there, secrets={"KEY": two, "SIGNING": None})
    assert said("acme") == {"plan": "the gold plan", "key": "two"}
    assert scripts.secrets.get("KEY", **there, script_name="acme").type == "secret_text"
    scripts.secrets.delete("KEY", **there, script_name="acme")
    refused(10056, lambda: scripts.secrets.get("KEY", **there, script_name="acme"))


def test_content_is_given_back_and_replaced_and_bindings_stay():
    assert CUSTOMER in scripts.content.get("acme", **there).read()
    code = b"export default { fetch: (_, { PLAN }) => Response.json({ replaced: PLAN }) };"
    scripts.content.update(
        "acme", **there, metadata={"main_module": "index.mjs"}, files=[("index.mjs", code, ES_MODULE)]
    )
    assert said("acme") == {"replaced": "gold"}


def test_settings_are_shown_and_changed_and_take_effect():
    binding = {"type": "plain_text", "name": "PLAN", "text": "silver"}
    scripts.settings.edit("acme", **there, settings={"bindings": [binding], "limits": {"cpu_ms": 50}})
    assert said("acme") == {"replaced": "silver"}
    settings = scripts.settings.get("acme", **there)
    assert (settings.limits.cpu_ms, settings.tags) == (50, ["eu", "paid"])


def test_tags_are_set_and_taken_away():
    assert list(scripts.tags.update("acme", **there, body=["us", "trial"])) == ["trial", "us"]
    scripts.tags.delete("us", **there, script_name="acme")
    assert list(scripts.tags.list("acme", **there)) == ["trial"]


def test_workers_are_listed_and_deleted_by_their_tags():
    upload("globex", ["paid"])
    upload("hooli", ["trial", "eu"])

    def names(query):
        listed = client.get(f"{PATH}/scripts{query}", cast_to=object)
        return [script["id"] for script in listed["result"]]

    assert names("") == ["acme", "globex", "hooli"]
    assert names("?tags=trial:yes,eu:no") == ["acme"]
    deleted = client.delete(f"{PATH}/scripts?tags=trial%3Ayes", cast_to=object)
    assert [script["id"] for script in deleted["result"]["deleted"]] == ["acme", "hooli"]
    assert answer("hooli")[:2] == (500, "Worker not found.")
    assert said("globex")["plan"] == "the gold plan"


def test_a_worker_with_static_assets_is_deployed_in_three_steps_and_serves_them():
    page = b"<!doctype html><title>acme</title>"
    name = hashlib.sha256(page).hexdigest()[:32]
    session = scripts.asset_upload.create(
        "site", **there, manifest={"/index.html": {"hash": name, "size": len(page)}}
    )
    assert session.buckets == [[name]]
    uploaded = client.post(
        f"/accounts/{ACCOUNT}/workers/assets/upload?base64=true",
        cast_to=object,
        files={name: (name, base64.b64encode(page), "text/html")},
        options={"headers": {"Authorization": f"Bearer {session.jwt}", "Content-Type": "multipart/form-data"}},
    )
    code = b"export default { fetch: () => new Response('from the Worker') };"
    script = scripts.update(
        "site",
        **there,
        metadata={
            "main_module": "index.mjs",
            "assets": {"jwt": uploaded["result"]["jwt"]},
            "bindings": [{"type": "assets", "name": "ASSETS"}],
        },
        files=[("index.mjs", code, ES_MODULE)],
    )
    assert script.has_assets
    status, body, kind = answer("site")
    assert (status, body.encode()) == (200, page)
    assert kind.startswith("text/html")
    assert answer("site", "/other")[1] == "from the Worker"


def test_a_worker_is_deleted_and_then_the_namespace_with_all_that_is_left_in_it():
    scripts.delete("globex", **there, force=True)
    refused(10092, lambda: scripts.get("globex", **there))
    namespaces.delete(NAMESPACE, **of_account)
    assert list(namespaces.list(**of_account)) == []
