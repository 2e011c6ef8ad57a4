#!/usr/bin/env python
"""Django's command line for this checkout, whether or not it is installed in the environment."""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

# Before an installed copy, so that this checkout is used.
sys.path.insert(1, str(Path(__file__).resolve().parent / "platform"))

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    execute_from_command_line(sys.argv)
