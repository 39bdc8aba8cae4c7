#!/usr/bin/env bash
# Ready when the broker's replication listener accepts (on a node that is only a controller: the control plane's).
set -e
port=9090
if grep -q '^process.roles=.*broker' /tmp/strimzi.properties; then port=9091; fi
exec 3<>"/dev/tcp/127.0.0.1/$port"
