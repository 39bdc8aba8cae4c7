#!/usr/bin/env bash
# Ready when the state is answered.
exec curl -sf -o /dev/null "http://localhost:$API_PORT$API_HEALTHCHECK_PATH"
