# The ground's own Docker Engine: own socket, data, state and no default bridge. Sourced, not run.
# shellcheck shell=bash
# shellcheck source=base.sh

engine_pid() { # prints the id of our engine's process, if it runs
  local pid
  pid=$(cat "$ground/run/dockerd.pid" 2>/dev/null) || return 1
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] && tr '\0' ' ' < "/proc/$pid/cmdline" | grep -qF "$socket" \
    && echo "$pid"
}

engine_up() {
  if docker version >/dev/null 2>&1; then return; fi
  folders
  # A machine that was switched off leaves these.
  engine_pid >/dev/null || rm -f "$ground/run/dockerd.pid" "$socket"
  install -m755 "$here/runc-shim" "$bin/runc-shim"
  cat > "$ground/daemon.json" <<JSON
{ "bridge": "none", "default-cgroupns-mode": "private", "storage-driver": "overlay2", "default-runtime": "shim",
  "runtimes": { "shim": { "path": "$bin/runc-shim" } } }
JSON
  setsid nohup dockerd --config-file "$ground/daemon.json" --host "unix://$socket" --data-root "$ground/docker" \
    --exec-root "$ground/exec" --pidfile "$ground/run/dockerd.pid" \
    > "$ground/logs/dockerd.log" 2>&1 3>&- 9>&- < /dev/null &
  local i
  for ((i = 0; i < 120; i++)); do
    if docker version >/dev/null 2>&1; then forget_nodes; return; fi
    sleep 0.5
  done
  tail -5 "$ground/logs/dockerd.log" >&3
  say "the Docker Engine did not start; its log is $ground/logs/dockerd.log"
  return 1
}

# Node containers and profiles of an earlier life: minikube would wait six minutes for them and fail.
forget_nodes() {
  local node
  for node in $(docker ps -aq --filter label=created_by.minikube.sigs.k8s.io=true); do
    docker rm -fv "$node" >/dev/null
  done
  rm -rf "$home"/.minikube/{profiles,machines}
}

engine_down() {
  local pid i
  if docker version >/dev/null 2>&1; then forget_nodes; fi
  pid=$(engine_pid) || return 0
  kill "$pid"
  for ((i = 0; i < 100; i++)); do
    [ -d "/proc/$pid" ] || return 0
    sleep 0.2
  done
  say "the Docker Engine (process $pid) does not end"
  return 1
}

# What an engine that was killed leaves mounted below our folder.
unmount() {
  local place
  awk -v under="$ground/" 'index($2, under) == 1 { print $2 }' /proc/mounts | sort -r | while read -r place; do
    umount -l "$place"
  done
}
