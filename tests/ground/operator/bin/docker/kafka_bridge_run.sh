#!/bin/sh
# The entry point of the bridge's image.
export PYTHONPATH=/opt/strimzi/lib:/opt/strimzi PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/tini -w -e 143 -- python3 -m standin.bridge_server
