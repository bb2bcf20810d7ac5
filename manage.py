"""Django's commands.  ``./run manage COMMAND`` calls this with the embedded servers up."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "expansion.settings")
    execute_from_command_line(sys.argv)
