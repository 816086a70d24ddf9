#!/bin/bash
# Runs "$@" beside a real systemd-resolved, as process 1 of mount and process namespaces of its own on a laptop.
# ROOT: where Debian's packages are unpacked. Per-link servers, routing domains and default routes work, with resolvectl and over D-Bus.
set -e
triplet=$(basename "$(ls -d "$ROOT"/usr/lib/*-linux-gnu | head -1)")
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/systemd/resolve /run/systemd/netif /run/systemd/resolved.conf.d
cp /etc/passwd /run/passwd; cp /etc/group /run/group
for user in systemd-resolve:990 messagebus:991; do
  grep -q "^${user%:*}:" /run/passwd && continue
  echo "${user%:*}:x:${user#*:}:${user#*:}::/:/usr/sbin/nologin" >> /run/passwd
  echo "${user%:*}:x:${user#*:}:" >> /run/group
done
mount --bind /run/passwd /etc/passwd; mount --bind /run/group /etc/group
chown systemd-resolve: /run/systemd/resolve
libraries=$ROOT/lib/$triplet/systemd:$ROOT/usr/lib/$triplet/systemd:$ROOT/usr/lib/$triplet:$ROOT/lib/$triplet

cat > /run/bus.conf <<'C'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_type="method_call"/><allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/><allow receive_type="method_return"/>
    <allow receive_type="error"/><allow receive_type="signal"/>
  </policy>
</busconfig>
C
LD_LIBRARY_PATH=$libraries "$ROOT/usr/bin/dbus-daemon" --config-file=/run/bus.conf --nofork 2>/run/dbus.log &
for _ in $(seq 50); do [ -S /run/dbus/system_bus_socket ] && break; sleep .1; done

upstream=$(awk '/^nameserver/ { print $2; exit }' /etc/resolv.conf)
printf '[Resolve]\nDNS=%s\nDNSSEC=no\nLLMNR=no\n' "$upstream" > /run/systemd/resolved.conf.d/upstream.conf
printf 'nameserver 127.0.0.53\noptions edns0 trust-ad\n' > /run/resolv.conf
mount --bind /run/resolv.conf /etc/resolv.conf
LD_LIBRARY_PATH=$libraries "$ROOT/lib/systemd/systemd-resolved" 2>/run/resolved.log &

# resolvectl finds its libraries without the environment of our programs being changed.
mkdir -p /run/bin
for tool in resolvectl busctl; do
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$libraries" "$ROOT/usr/bin/$tool" > "/run/bin/$tool"
  chmod +x "/run/bin/$tool"
done
export PATH=/run/bin:$PATH
for _ in $(seq 50); do resolvectl status >/dev/null 2>&1 && break; sleep .1; done
"$@"
