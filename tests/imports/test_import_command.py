"""The command: its JSON, its sentences, its exit codes, as another program sees them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from django.core.management import CommandError, call_command

from accounts.imports import reasons, values
from tests.imports.handing_in import NOW, counts, database_url

ROOT = Path(__file__).resolve().parents[2]
KEYS = ["batch_id", "rows", "applied", "unchanged", "waiting", "rejected", "rejects"]


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str, *, encoding: str = "utf-8") -> str:
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return str(path)

    return write


def run(*args: str) -> dict:
    out = io.StringIO()
    call_command("import_data", *args, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.django_db
def test_json_holds_the_promised_keys_and_the_refusals(write) -> None:
    told = run("customers", write("c.csv", "customer_id,name,employees\nC1,One,5\nC2,Two,ten\nC3,,\n"))
    assert list(told)[:7] == KEYS
    assert [told[key] for key in KEYS[1:6]] == [3, 1, 0, 0, 2]
    assert told["rejects"] == [
        {"line": 3, "column": "employees", "value": "ten", "reason": reasons.of_row("not_a_number", {})},
        {"line": 4, "column": "name", "value": "", "reason": reasons.of_row("required", {})},
    ]


@pytest.mark.django_db
def test_at_most_a_hundred_refusals_are_listed(write) -> None:
    told = run("customers", write("c.csv", "customer_id,name\n" + "C1,\n" * 250))
    assert (told["rejected"], len(told["rejects"]), told["rejects"][-1]["line"]) == (250, 100, 101)


@pytest.mark.django_db
def test_rehearsal_then_import_then_the_same_again(write) -> None:
    path = write("c.csv", "customer_id,name\nC1,One\n")
    rehearsed, done, again = run("customers", path, "--dry-run"), run("customers", path), run("customers", path)
    assert [(one["applied"], one["unchanged"], one["same_file"], one["dry_run"]) for one in (rehearsed, done, again)] == [
        (1, 0, False, True), (1, 0, False, False), (0, 1, True, False),
    ]  # fmt: skip
    assert rehearsed["batch_id"] is None
    assert again["batch_id"] == done["batch_id"]


@pytest.mark.django_db
def test_the_same_content_in_every_format_and_encoding_gives_the_same_rows(write, tmp_path) -> None:
    from accounts.models import Customer

    rows = [
        ["顧客ID", "会社名", "獲得日", "従業員数"],
        ["C1", "㈱あおば", "令和8年3月1日", "1,200"],
        ["C2", "高橋①商店", "20260302", "5"],
    ]
    quoted = "\n".join(",".join(f'"{cell}"' for cell in row) for row in rows)
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "f.xlsx")
    lines = "\n".join(json.dumps(dict(zip(rows[0], row, strict=True)), ensure_ascii=False) for row in rows[1:])
    files = [
        write("utf8.csv", quoted), write("bom.csv", quoted, encoding="utf-8-sig"), write("sjis.csv", quoted, encoding="cp932"),
        write("utf16.csv", quoted, encoding="utf-16"), write("euc.csv", quoted, encoding="euc_jis_2004"),
        write("tabs.tsv", "\n".join("\t".join(row) for row in rows)), write("lines.jsonl", lines), str(tmp_path / "f.xlsx"),
    ]  # fmt: skip
    seen = []
    for place, path in enumerate(files):
        told = run("customers", path)
        assert (told["applied"], told["unchanged"]) == ((2, 0) if place == 0 else (0, 2)), path
        seen.append(list(Customer.objects.order_by("pk").values("customer_id", "name", "acquired_on", "employees")))
    assert all(one == seen[0] for one in seen)
    assert [str(row["acquired_on"]) for row in seen[0]] == ["2026-03-01", "2026-03-02"]
    assert run("customers", write("named.csv", quoted + "\n", encoding="cp932"), "--encoding", "cp932")["unchanged"] == 2


@pytest.mark.django_db
def test_a_wrong_encoding_refuses_the_rows_that_do_not_fit(write) -> None:
    path = write("c.csv", "customer_id,name\nC1,One\nC2,青葉\n", encoding="cp932")
    told = run("customers", path, "--encoding", "utf-8")
    assert (told["applied"], told["rejected"], told["rejects"][0]["line"]) == (1, 1, 3)


@pytest.mark.django_db
def test_sentences_for_people(write, capsys) -> None:
    path = write("c.csv", "customer_id,name,colour\nC1,One,red\nC1,Two,red\nC2,,red\n")
    call_command("import_data", "customers", path)
    assert capsys.readouterr().out.splitlines() == [
        "Rows 3: applied 1, unchanged 1, waiting for their customer 0, refused 1.",
        "Columns that were not read: colour.",
        "Rows corrected by a later row of the same key: 1 (first: line 2 by line 3).",
        f"Line 4, name: '' – {reasons.of_row('required', {})}",
    ]


@pytest.mark.django_db
def test_the_language_of_the_terminal(write, capsys, monkeypatch) -> None:
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    call_command("import_data", "customers", write("c.csv", "customer_id,name\nC1,One\n"))
    assert capsys.readouterr().out == "1行: 反映 1、変更なし 0、顧客の照合待ち 0、取り込み不可 0\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "mapping", "sentence"),
    [
        ("customer_id\n1\n", None, "The file lacks required columns: name."),
        ("", None, "The file is empty."),
        ("a,b\n1,2\n", "{customer_id: a, name: c}", "The mapping speaks of a column c, but the file has: a, b."),
        ("a,b\n1,2\n", "{customer_id: [", "The mapping cannot be read: line 1"),
    ],
)
def test_a_refused_file_is_one_sentence(write, text: str, mapping: str | None, sentence: str) -> None:
    args = ["customers", write("c.csv", text)]
    if mapping:
        args += ["--mapping", write("m.yaml", mapping)]
    with pytest.raises(CommandError) as refused:
        run(*args)
    assert str(refused.value).startswith(sentence)


@pytest.mark.django_db(transaction=True)
def test_exit_codes_and_a_clean_standard_output(write) -> None:
    def command(*args: str, text: str | None = None) -> tuple[int, str, str]:
        env = {**os.environ, "DATABASE_URL": database_url(), "PYTHONWARNINGS": "ignore", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [sys.executable, "manage.py", "import_data", *args],
            cwd=ROOT,
            env=env,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    code, out, err = command("customers", "-", "--json", text="customer_id,name\nC1,One\nC2,\n")
    assert (code, err) == (0, "")
    assert json.loads(out)["rejected"] == 1
    code, out, err = command("customers", write("c.csv", "name\nx\n"), "--json")
    assert (code, out, len(err.strip().splitlines())) == (1, "", 1)
    assert command("customers", "nowhere.csv")[0] == 1
    assert command("nothing", "nowhere.csv")[0] == 2
    assert command("customers", "-", "--encoding", "latin-1")[0] == 2


SUITES = os.environ.get("REAL_DATA_DIR", "")


@pytest.mark.django_db
@pytest.mark.skipif(not SUITES, reason="REAL_DATA_DIR is not set: it names the folder with naughty_strings/.")
def test_naughty_strings_come_through_or_are_refused_with_their_line(load, tmp_path) -> None:
    """Every string in every place that takes text: stored as it is but for the space around it, or refused for a reason."""
    from accounts.imports import receiving
    from accounts.models import Customer, Event, RejectedRow, Ticket

    strings = json.loads((Path(SUITES) / "naughty_strings" / "blns.json").read_text())
    assert len(strings) > 500
    rows = [{"customer_id": f"C{place}", "name": text, "industry": text[:80]} for place, text in enumerate(strings)]
    data = "\n".join(json.dumps(row) for row in rows).encode()
    result = receiving.apply(receiving.receive(data, dataset="customers", now=NOW, filename="n.jsonl"), now=NOW)
    assert counts(result)[0] == len(strings)
    stored = dict(Customer.objects.values_list("customer_id", "name"))
    refused = dict(RejectedRow.objects.values_list("line", "reason"))
    for place, text in enumerate(strings):
        if f"C{place}" in stored:
            assert stored[f"C{place}"] == text.strip()
        else:
            wanted = "too_long" if len(text.strip()) > 200 else "required"
            assert refused[place + 1] == wanted, text
    assert set(refused.values()) <= {"too_long", "required"}

    # The same strings where something else is wanted: IDs, dates, numbers, choices, JSON.
    rows = [dict.fromkeys(("customer_id", "ticket_id", "opened_at", "severity", "satisfaction"), text) for text in strings]
    data = "\n".join(json.dumps(row) for row in rows).encode()
    result = receiving.apply(receiving.receive(data, dataset="tickets", now=NOW, filename="n.jsonl"), now=NOW)
    filled = sum(text != "" for text in strings)  # a row of nothing but empty cells is no row
    assert (result.rows, result.rejected, Ticket.objects.count()) == (filled, filled, 0)
    rows = [{"customer_id": "C1", "event_id": str(place), "kind": "demo_requested", "occurred_at": "2026-03-01", "detail": text}
            for place, text in enumerate(strings)]  # fmt: skip
    data = "\n".join(json.dumps(row) for row in rows).encode()
    result = receiving.apply(receiving.receive(data, dataset="events", now=NOW, filename="n.jsonl"), now=NOW)
    assert result.rows == len(strings)
    blank = sum(not text.strip() for text in strings)
    assert Event.objects.filter(detail={}).count() >= blank
    for row in Event.objects.exclude(detail={}):
        assert row.detail == values.as_json(strings[int(row.external_id)].strip())
