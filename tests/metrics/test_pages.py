from __future__ import annotations
import pytest
def test_page(book, people, client, standing):
    standing({book["acme"]: "healthy"})
    client.force_login(people["max"])
    r = client.get("/metrics/?period=custom&from=2024-12-31&to=2025-12-31")
    assert r.status_code == 200, r.content
    print(r.content.decode()[:6000])
    for m in ("nrr","upsell","renewals","start","offset"):
        r = client.get(f"/metrics/drill/{m}/?period=custom&from=2024-12-31&to=2025-12-31")
        assert r.status_code == 200
        print(r.content.decode()[:100])
