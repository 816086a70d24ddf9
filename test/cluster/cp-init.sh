#!/bin/bash
# Process 1 of the control plane, in network, mount and process namespaces of its own. Variables: configuration.ts.
keep() { # LOG COMMAND...: runs it for ever
  local log=$LOG/$1.log; shift
  while :; do "$@" >>"$log" 2>&1; echo "exit $?, again" >>"$log"; sleep .5; done
}
ulimit -n "$(ulimit -Hn)"
mkdir -p /var/lib/ktk-etcd && mount -t tmpfs tmpfs /var/lib/ktk-etcd
local_only=--bind-address=127.0.0.1
client() { echo "--kubeconfig=$PKI/$1.kubeconfig --authentication-kubeconfig=$PKI/$1.kubeconfig --authorization-kubeconfig=$PKI/$1.kubeconfig"; }

keep company-dns coredns -conf "$STATE/company.Corefile" &
keep etcd etcd --data-dir /var/lib/ktk-etcd/data --unsafe-no-fsync --auto-compaction-retention=1h \
  --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
  --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster default=http://127.0.0.1:2380 &
keep apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --service-cluster-ip-range="$SERVICE_RANGES" \
  --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
  --client-ca-file="$PKI/ca.crt" --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
  --kubelet-client-certificate="$PKI/kubelet-client.crt" --kubelet-client-key="$PKI/kubelet-client.key" \
  --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-preferred-address-types=InternalIP \
  --service-account-issuer=https://kubernetes.default.svc.cluster.local \
  --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
  --advertise-address="$ADVERTISE" --bind-address=0.0.0.0 --secure-port=6443 &
# The controller manager gives up for good on what it cannot see when it starts: only after /readyz.
until kubectl --kubeconfig "$PKI/kcm.kubeconfig" get --raw /readyz >/dev/null 2>&1; do sleep .1; done
keep kcm kube-controller-manager $(client kcm) $local_only --leader-elect=false --allocate-node-cidrs=false \
  --service-account-private-key-file="$PKI/sa.key" --root-ca-file="$PKI/ca.crt" --use-service-account-credentials=true \
  --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" &
keep sched kube-scheduler $(client sched) $local_only --leader-elect=false &
while :; do wait; sleep 1; done
