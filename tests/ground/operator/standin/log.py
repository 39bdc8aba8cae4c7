"""Log lines in the format of Strimzi's operator: `date time LEVEL Class:line - message`.

Class and line are Strimzi's where tools may search for them.
"""
from __future__ import annotations

import threading
import time
import traceback

_lock = threading.Lock()


def _write(level: str, location: str, message: str) -> None:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    with _lock:
        print(f"{stamp} {level:<5} {location} - {message}", flush=True)


def info(location: str, message: str) -> None:
    _write("INFO", location, message)


def warn(location: str, message: str) -> None:
    _write("WARN", location, message)


def error(location: str, message: str) -> None:
    _write("ERROR", location, message)


def trace(location: str, message: str) -> None:
    """Log an error with the traceback of the current exception."""
    _write("ERROR", location, message + "\n" + traceback.format_exc().rstrip())
