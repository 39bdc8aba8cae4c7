# minikube, Kubernetes, the node and Kubernetes' images. Sourced, not run.
# shellcheck shell=bash
# shellcheck source=base.sh
minikube=v1.38.1
provisioner=v5
# Kubernetes, and the versions under which minikube asks for what goes with it.
kubernetes=v1.34.4
etcd=3.6.5-0
pause=3.10.1
coredns=v1.12.1
node_image="kstrim-ground/node:1"
kubernetes_module=go/kubernetes
programs=$bin
# What the steps of another Kubernetes have after their names.
other=
# For profiles of several nodes: the images that minikube's network and its add-on storage-provisioner-rancher name.
nodes_image="kstrim-ground/nodes:1"
kindnetd=docker.io/kindest/kindnetd:v20260213-ea8e5717
local_path=docker.io/rancher/local-path-provisioner:v0.0.22

# Another Kubernetes, for what does not run on the default: its programs, images and node are beside those of the
# default, and nothing of the default is built again. etcd and CoreDNS are the default's, under the names that
# minikube asks for.
choose_kubernetes() {
  local chosen=${KSTRIM_GROUND_KUBERNETES:-$kubernetes}
  if [ "$chosen" = "$kubernetes" ]; then return; fi
  kubernetes_module=kubernetes/$chosen
  if [ ! -f "$here/$kubernetes_module/images" ]; then
    say "KSTRIM_GROUND_KUBERNETES is $chosen; the ground has $kubernetes $(cd "$here/kubernetes" && echo v*)"
    return 2
  fi
  kubernetes=$chosen other=-$chosen programs=$bin/$chosen node_image=kstrim-ground/node:$chosen nodes_image=
  # shellcheck source=../kubernetes/v1.33.6/images
  . "$here/$kubernetes_module/images"
}

go_build() { # MODULE CGO FLAGS... PACKAGES...
  local module=$1 cgo=$2; shift 2
  cd "$here/go/$module" || return
  retry "Go modules of $module" go mod download
  CGO_ENABLED=$cgo go build -mod=readonly -trimpath -buildvcs=false -o "${go_into:-$bin}/" "$@"
}

# What the Go programs of a node run with: nodes share processors and have memory to spare, so Go's collector
# is to run less often.
go_environment() { paste -sd' ' "$here/go/environment"; }

go_kubernetes() {
  local k=k8s.io/component-base/version c=k8s.io/kubernetes/cmd minor=${kubernetes#v1.}
  mkdir -p "$programs"
  go_into=$programs go_build "../$kubernetes_module" 0 \
    -ldflags "-s -w -X $k.gitVersion=$kubernetes -X $k.gitMajor=1 -X $k.gitMinor=${minor%%.*} -X $k.gitTreeState=clean" \
    $c/kubelet $c/kubeadm $c/kubectl $c/kube-apiserver $c/kube-controller-manager $c/kube-scheduler $c/kube-proxy
}

go_minikube() {
  local v=k8s.io/minikube/pkg/version
  go_build minikube 1 -tags libvirt_dlopen \
    -ldflags "-s -w -X $v.version=$minikube -X $v.storageProvisionerVersion=$provisioner -X $v.isoVersion=v1.38.0" \
    k8s.io/minikube/cmd/minikube
}

go_small() {
  go_build etcd 0 -ldflags '-s -w' .
  go_build provisioner 0 -ldflags '-s -w' .
  go_build coredns 0 -ldflags '-s -w' github.com/coredns/coredns
  go_build crictl 0 -ldflags '-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=1.34.0' sigs.k8s.io/cri-tools/cmd/crictl
}

node_root() {
  local root=$ground/node-root
  rm -rf "$root"
  cp -a "$ground/base-root" "$root"
  install_in "$root" \
    systemd systemd-sysv dbus openssh-server sudo iproute2 iptables ipset ebtables ethtool kmod procps iputils-ping \
    containerd runc containernetworking-plugins conntrack socat curl ca-certificates lz4 gnupg util-linux mount \
    nfs-common rsync jq hostname netcat-openbsd
  install -D -m644 "$here/node/containerd.toml" "$root/etc/containerd/config.toml"
  install -m755 "$here/node/entrypoint" "$root/usr/local/bin/entrypoint"
  install -m755 "$here/runc-shim" "$root/usr/local/sbin/runc"
  install -m755 "$here/node/provision" "$root/tmp/provision"
  chroot "$root" /tmp/provision
  rm "$root/tmp/provision"
}

# The node with what minikube's preload brings: Kubernetes' programs and images in its /var, unpacked. Docker copies
# that into each profile's new volume, and minikube finds nothing missing.
pack_node() {
  local root=$ground/node-image-root cache=$home/.minikube/cache seed image
  rm -rf "$root"
  cp -a "$ground/node-root" "$root"
  install -m755 "$bin/crictl" "$root/usr/local/bin/crictl"
  mkdir -p "$root/var/lib/minikube/binaries"
  cp -r "$cache/linux/amd64/$kubernetes" "$root/var/lib/minikube/binaries/"
  install -m755 "$here/node/seed" "$root/tmp/seed"
  # containerd, its shims, the kubelet.
  printf '[Manager]\nDefaultEnvironment=%s\n' "$(go_environment)" > "$root/etc/systemd/system.conf.d/go.conf"
  mkdir "$root/seed"
  seed=$(mktemp -d "$cache/seed.XXXXXX")
  while read -r image; do ln "$(cached "$image")" "$seed/${image//[\/:]/_}"; done < <(kubernetes_images)
  # shellcheck disable=SC2016  # for the inner shell
  unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$0/proc" && mount --rbind /sys "$0/sys" && mount --rbind /dev "$0/dev" &&
      mount -t tmpfs tmpfs "$0/run" && mount --bind "$1" "$0/seed" && exec chroot "$0" /tmp/seed' \
    "$root" "$seed"
  rm -r "$root/seed" "$root/tmp/seed" "$seed"
  import "$root" "$node_image" 'ENV container=docker' 'EXPOSE 22' \
    'ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]'
  rm -rf "$root"
}

# The images of Kubernetes, as minikube names them.
kubernetes_images() {
  local r=registry.k8s.io
  printf "$r/%s:$kubernetes\n" kube-apiserver kube-controller-manager kube-scheduler kube-proxy
  printf '%s\n' "$r/etcd:$etcd" "$r/pause:$pause" "$r/coredns/coredns:$coredns" \
    "gcr.io/k8s-minikube/storage-provisioner:$provisioner"
}

# Where minikube looks for an image.
cached() { echo "$home/.minikube/cache/images/amd64/${1/:/_}"; } # NAME

# A binary as an image, in minikube's cache.
image() { # NAME DOCKERFILE FILE...
  local name=$1 dockerfile=$2; shift 2
  local dir tar; dir=$(mktemp -d); tar=$(cached "$name")
  cp "$@" "$dir/"
  printf '%b' "$dockerfile" > "$dir/Dockerfile"
  DOCKER_BUILDKIT=0 docker build -q -t "$name" "$dir"
  rm -r "$dir"
  mkdir -p "$(dirname "$tar")"
  docker save -o "$tar" "$name"
}

pack_kubernetes() {
  import "$ground/proxy-root" kstrim-ground/iptables:1
  printf '%s\n' '#include <signal.h>' '#include <sys/wait.h>' '#include <unistd.h>' \
    'static void reap(int s) { (void)s; while (waitpid(-1, 0, WNOHANG) > 0) {} }' \
    'static void quit(int s) { (void)s; _exit(0); }' \
    'int main(void) { signal(SIGINT, quit); signal(SIGTERM, quit); signal(SIGCHLD, reap); for (;;) pause(); }' \
    > "$ground/pause.c"
  gcc -O2 -s -static -o "$bin/pause" "$ground/pause.c"
  local r=registry.k8s.io b go
  go="ENV $(go_environment)\n"
  for b in kube-apiserver kube-controller-manager kube-scheduler; do
    image "$r/$b:$kubernetes" "FROM scratch\nCOPY $b /usr/local/bin/$b\nENV PATH=/usr/local/bin\n$go" "$programs/$b"
  done
  image "$r/etcd:$etcd" "FROM scratch\nCOPY etcd /usr/local/bin/etcd\nENV PATH=/usr/local/bin\n$go" "$bin/etcd"
  image "$r/kube-proxy:$kubernetes" "FROM kstrim-ground/iptables:1\nCOPY kube-proxy /usr/local/bin/kube-proxy\n$go" "$programs/kube-proxy"
  image "$r/pause:$pause" 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n' "$bin/pause"
  image "$r/coredns/coredns:$coredns" "FROM scratch\nCOPY coredns /coredns\nENTRYPOINT [\"/coredns\"]\n$go" "$bin/coredns"
  image "gcr.io/k8s-minikube/storage-provisioner:$provisioner" \
    "FROM scratch\nCOPY provisioner /storage-provisioner\nCMD [\"/storage-provisioner\"]\n$go" "$bin/provisioner"
  # minikube takes these from its cache instead of downloading them.
  local cache=$home/.minikube/cache/linux/amd64/$kubernetes
  mkdir -p "$cache"
  cp "$programs"/{kubelet,kubeadm,kubectl} "$cache/"
}

go_nodes() {
  go_build ../nodes/kindnetd 0 -ldflags '-s -w' .
  go_build ../nodes/local-path 0 -ldflags '-s -w' github.com/rancher/local-path-provisioner
}

# The node of profiles that have several: it brings their network, and volumes that are on the node of their pod.
pack_nodes() {
  local dir; dir=$(mktemp -d)
  cp "$here"/nodes/image/* "$dir/"
  archive "$kindnetd" "$here/nodes/kindnetd/Dockerfile" "$bin/kindnetd" "$dir/kindnetd.tar"
  archive "$local_path" "$here/nodes/local-path/Dockerfile" "$bin/local-path-provisioner" "$dir/local-path.tar"
  DOCKER_BUILDKIT=0 docker build -q -t "$nodes_image" "$dir"
  rm -r "$dir"
}

archive() { # NAME DOCKERFILE PROGRAM TAR
  local dir; dir=$(mktemp -d)
  cp "$2" "$3" "$dir/"
  DOCKER_BUILDKIT=0 docker build -q -t "$1" "$dir"
  rm -r "$dir"
  docker save -o "$4" "$1"
}

build_minikube() {
  step "kubernetes$other" "$kubernetes_module" -- go_kubernetes
  step minikube go/minikube -- go_minikube
  step small go/etcd go/provisioner go/coredns go/crictl -- go_small
  step node-root node runc-shim -- node_root
  step proxy-root roots/proxy roots/unused -- listed_root proxy
  step nodes nodes -- go_nodes
}

build_minikube_images() {
  local more=()
  if [ -n "$other" ]; then more=("$kubernetes_module"); fi
  step "kubernetes-images$other" go roots/proxy roots/unused "${more[@]}" -- pack_kubernetes
  step "node-image$other" node runc-shim go roots/proxy roots/unused "${more[@]}" -- pack_node
  # Profiles of several nodes have the default Kubernetes.
  if [ -z "$other" ]; then
    step nodes-image nodes node runc-shim go roots/proxy roots/unused -- pack_nodes
  fi
}
