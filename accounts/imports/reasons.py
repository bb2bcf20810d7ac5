"""Why a row or a file was refused, as a sentence that says what to do, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

ROWS: Final[Mapping[str, Any]] = {
    "required": _("The cell is empty, but every row needs a value here. Fill it in."),
    "not_a_date": _("This is no date. Write it as 2026-03-01 or 2026/3/1."),
    "no_such_day": _("There is no such day in the calendar. Correct the date."),
    "ambiguous_date": _(
        "This date can be read in two ways. Write the year first, as in 2026-03-01, or give its format in the mapping."
    ),
    "date_out_of_range": _("The year must lie between %(first)s and %(last)s. Correct it, or leave the cell empty."),
    "not_in_format": _(
        "The date is not in the format that the mapping gives "
        "(%(formats)s). Correct one of the two."
    ),
    "not_an_instant": _("This is no date with time. Write it as 2026-03-01 09:30 or 2026-03-01T09:30:00+09:00."),
    "not_a_number": _(
        "This is no number. Write digits only; commas between thousands and "
        "a yen sign may stand in it."
    ),
    "ambiguous_number": _(
        "The commas do not part thousands, so the number can be read in two ways. Write 1234.5 or 1,234.5."
    ),
    "not_whole": _("Only a whole number can stand here. Leave out the decimals."),
    "negative": _("The value cannot be below zero. Correct it; what is given back belongs to invoices."),
    "too_small": _("The value must be %(least)s or more. Correct it."),
    "too_large": _("The value must be %(most)s or less. Correct it, or check the unit of the column."),
    "not_a_boolean": _("Write yes or no here (also 1 or 0, true or false)."),
    "not_a_choice": _("This value is not known here. Write one of: %(allowed)s."),
    "not_a_currency": _("This is no currency. Write its three letters, such as JPY or USD."),
    "yen_in_other_currency": _(
        "The amount is written in yen, but the currency of the row is %(currency)s. Correct one of the two."
    ),
    "not_an_email": _("This is no mail address. Correct it or leave the cell empty."),
    "not_thirteen_digits": _("A corporate number has 13 digits. Correct it or leave the cell empty."),
    "wrong_check_digit": _(
        "The corporate number is mistyped: its first digit would have to be %(check)s. Look it up again or "
        "leave the cell empty."
    ),
    "not_codes": _("Write product codes with commas between them."),
    "not_a_quota": _(
        'Write what is included as {"storage_gb": 100}: names of metrics and '
        'numbers that are not negative.'
    ),
    "not_json": _("This is no JSON. Correct it or leave the cell empty."),
    "not_an_object": _('The JSON must be an object, such as {"reason": "price"}.'),
    "too_long": _("The text has %(length)s characters, but only %(most)s fit. Shorten it."),
    "has_nul": _("The cell holds a NUL character, which no text has. Export the file again."),
    "broken_character": _(
        "A character is broken here. Choose the right encoding, or "
        "export the file again as UTF-8."
    ),
    "spreadsheet_error": _(
        "The cell holds the error of a spreadsheet formula. Mend the "
        "formula, or leave the cell empty."
    ),
    "formula_without_value": _(
        "The cell holds a formula whose result is not in the file. Open the file in your spreadsheet "
        "program, save it, and import it again."
    ),
    "wrong_cell_count": _(
        "The row has %(cells)s cells, the header %(expected)s. Put text that holds a comma between quotation "
        "marks, and complete the row."
    ),
    "bad_quotes": _(
        "The quotation marks on this line do not close, or stand inside a word. Double them (\"\") where "
        "they belong to the text."
    ),
    "not_a_json_line": _("The line is no JSON object. Write one object per line."),
    "key_twice": _("The object names a key twice. Keep one of the two."),
    "not_in_map": _(
        "The mapping does not say what this value means. Add it to the "
        "mapping, which knows: %(allowed)s."
    ),
    "two_ends": _("ends_on (%(ends_on)s, the last day) and ends_before name different days. Keep one of the two."),
    "ends_before_start": _("The line ends before it starts (%(starts_on)s). Correct one of the two days."),
    "pause_without_start": _("The row says when the pause ends, but not when it began. Fill in paused_from."),
    "pause_ends_before_start": _("The pause ends before it began (%(paused_from)s). Correct one of the two days."),
    "cancelled_when": _(
        "The line is cancelled, but no day says from when. Fill in ends_on (the last day of service) or "
        "cancelled_on (the day of notice)."
    ),
    "no_price": _("The row has no price. Fill in amount with billing_months, or mrr (0 for what is free)."),
    "no_billing_months": _("The amount is for how many months? Fill in billing_months (1, 3, 12, …)."),
    "mrr_and_amount_differ": _(
        "amount and billing_months make an MRR of %(mrr)s, but mrr says "
        "otherwise. Keep one of the two."
    ),
    "closed_before_opened": _("It was closed before it was opened (%(opened_at)s). Correct one of the two."),
    "own_parent": _("A customer cannot be its own parent. Name the parent, or leave the cell empty."),
    "distinct_twice": _(
        "The metric counts different users, so two values of one day cannot be added up. Give one row per customer and day, "
        "or import the single users as activity."
    ),
}  # fmt: skip

FILES: Final[Mapping[str, Any]] = {
    "empty_file": _("The file is empty. Export it again."),
    "no_encoding_fits": _(
        "The file is neither UTF-8 nor CP932, UTF-16 or EUC-JP as a whole (line %(line)s does not fit). "
        "Export it again as UTF-8, or name the encoding to have the broken rows listed."
    ),
    "old_or_protected_workbook": _(
        "The workbook is in the old .xls format or protected by a password. Save it as .xlsx without a password."
    ),
    "not_a_workbook": _("The file is no workbook that can be read. Save it again as .xlsx or CSV."),
    "workbook_too_big": _("The workbook needs more memory than is allowed. Save the sheet as CSV and import that."),
    "workbook_too_slow": _("Reading the workbook took too long. Save the sheet as CSV and import that."),
    "header_twice": _("Two columns are called %(column)s. Rename or delete one of them."),
    "has_nul_in_header": _("The header holds NUL characters. Choose the right encoding, or export the file again."),
    "bad_quotes_in_header": _("The quotation marks in the header do not close. Correct the first line."),
    "too_many_bad_quotes": _(
        "More than %(most)s lines have quotation marks that do not "
        "close. Export the file again."
    ),
    "no_json_objects": _("No line of the file is a JSON object. Write one object per line."),
    "columns_missing": _(
        "The file lacks required columns: %(columns)s. Its header is: %(header)s. Rename the columns, or give a mapping."
    ),
    "column_given_twice": _("%(first)s and %(second)s both mean %(column)s. Delete one of the columns."),
    "mapping_not_yaml": _(
        "The mapping cannot be read: line %(line)s is not the YAML of "
        "target columns that it should be."
    ),
    "mapping_for_other_dataset": _(
        "The mapping is for the dataset %(dataset)s. Import that, or "
        "take another mapping."
    ),
    "mapping_emit_not_list": _("emit must be a list of blocks, one for each row to be made."),
    "mapping_lacks_columns": _(
        "The mapping does not say where these required columns come "
        "from: %(columns)s. Add them."
    ),
    "mapping_names_no_column": _(
        "The mapping speaks of a column %(column)s, but the file has: %(header)s. Correct one of the two."
    ),
    "mapping_unknown_word": _("The mapping uses %(word)s, which means nothing there. Known are: %(allowed)s."),
    "mapping_unknown_target": _("The dataset has no column %(column)s. It has: %(allowed)s."),
    "mapping_lookup_elsewhere": _(
        "lookup finds the customer of a line, so it can stand at "
        "customer_id only, not at %(column)s."
    ),
    "mapping_scale_not_number": _("scale at %(column)s is no number. Write something such as 0.01."),
    "file_gone": _("The file of this import is no longer kept. Hand it in again."),
}  # fmt: skip


def of_row(key: str, details: Mapping[str, str]) -> str:
    """Return why a row was refused."""
    return str(ROWS[key]) % details if key in ROWS else key


def of_file(key: str, details: Mapping[str, str]) -> str:
    """Return why a whole file was refused."""
    return str(FILES[key]) % details if key in FILES else key
