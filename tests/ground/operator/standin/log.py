"""Log lines in the form of the real operator's: `date time LEVEL Class:line - message`.

Class and line are those the real operator prints where tools may look for them.
"""
from __future__ import annotations

import threading
import time
import traceback

_lock = threading.Lock()


def _write(level: str, where: str, message: str) -> None:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    with _lock:
        print(f"{stamp} {level:<5} {where} - {message}", flush=True)


def info(where: str, message: str) -> None:
    _write("INFO", where, message)


def warn(where: str, message: str) -> None:
    _write("WARN", where, message)


def error(where: str, message: str) -> None:
    _write("ERROR", where, message)


def trace(where: str, message: str) -> None:
    """An error with the Python traceback of the exception being handled."""
    _write("ERROR", where, message + "\n" + traceback.format_exc().rstrip())
