"""Asks every operation of a running server's document as nobody, as a stranger and as a reader: api_roles.py URL READER OPERATOR.

Whoever may not do a thing is refused, and changes nothing. What the operator may do is left to the fuzzer.
"""

import json
import sys
import urllib.error
import urllib.request


def ask(method, url, token=None):
    body = b"{}" if method in ("POST", "PUT") else None
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=10) as answer:
            return answer.status, answer.read() if "event-stream" not in answer.headers["content-type"] else b""
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def main():
    url, reader, operator = sys.argv[1:]
    audit = lambda: json.loads(ask("GET", url + "/api/v1/audit?limit=1", operator)[1])["entries"]
    document = json.loads(ask("GET", url + "/api/v1/openapi.json", reader)[1])
    said, refusals, wrong = audit(), 0, []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            method, place = method.upper(), url + path.replace("{service}", "web").replace("{id}", "1")
            role = operation.get("x-role")
            got = [ask(method, place, token)[0] for token in (None, "a-strangers-token-0123", reader)]
            refused = [status in (401, 403) for status in got]
            expected = {None: [False, False, False], "read": [True, True, False], "operate": [True, True, True]}[role]
            # Where the token is wrong, it is 401; where it is known and may not do this, 403.
            exact = role is None or (got[:2] == [401, 401] and (role == "read" or got[2] == 403))
            if refused != expected or not exact or any(status >= 500 for status in got):
                wrong.append(f"{method} {path} ({role}): {got}")
            refusals += sum(refused)
    if audit() != said:
        wrong.append("someone who was refused stands in the audit trail")
    for path in ("/", "/assets/app.js", "/nowhere"):
        if ask("GET", url + path)[0] != (404 if path == "/nowhere" else 200):
            wrong.append(f"GET {path}")
    if wrong or refusals < 100:
        raise SystemExit("\n".join(wrong) or f"only {refusals} refusals")
    print(f"{refusals} requests refused that had to be: without a token, with a foreign one, and with one that may only read")


main()
