#!/bin/bash
# Process 1 of a node, in network, mount, process and host name namespaces of its own. Variables: configuration.ts.
keep() { # LOG COMMAND...: runs it for ever
  local log=$LOG/$1.log; shift
  while :; do "$@" >>"$log" 2>&1; echo "exit $?, again" >>"$log"; sleep .5; done
}
ulimit -n "$(ulimit -Hn)"
hostname "$NODE"
mount --make-rshared /
for pair in kubelet:/var/lib/kubelet containerd:/var/lib/containerd run:/run/containerd cni:/var/lib/cni netns:/run/netns \
  pods:/var/log/pods clogs:/var/log/containers etccni:/etc/cni/net.d; do
  own=$NODE_DIR/${pair%%:*} path=${pair#*:}
  mkdir -p "$own" "$path" && mount --bind "$own" "$path" && mount --make-rshared "$path"
done

keep "containerd-$NODE" containerd -c "$NODE_DIR/containerd.toml" &
for _ in $(seq 200); do [ -S /run/containerd/containerd.sock ] && break; sleep .05; done
( for image in $IMAGE_TARS; do ctr -n k8s.io images import "$IMAGES/$image.tar"; done ) >"$LOG/import-$NODE.log" 2>&1 &
keep "kubelet-$NODE" kubelet --config="$NODE_DIR/kubelet.json" --kubeconfig="$PKI/$NODE.kubeconfig" --hostname-override="$NODE" \
  --node-ip="$NODE_IPS" --root-dir=/var/lib/kubelet --v=2 &
keep "proxy-$NODE" kube-proxy --config="$NODE_DIR/proxy.json" &
while :; do wait; sleep 1; done
