// Proxy auto-configuration: the JavaScript by which a browser decides for itself which names and addresses come here. Pure.
import { formatAddress, IPV4_LENGTH, parseAddress } from '../wire/address.ts'

export interface PacInput {
  /** Where the browser finds us: `127.0.0.1:2223`. */
  proxy: string
  /** The cluster domain and further ones, without dots at their ends. */
  domains: readonly string[]
  /** The namespace whose services have one-label names. */
  namespace: string
  services: Iterable<{ namespace: string; name: string }>
  /** Ranges of the cluster, canonical. */
  cidrs: readonly string[]
}

/** Services that are named; a browser takes a file of one megabyte, and the full names of all others still come here. */
const MAX_SERVICES = 10_000

/** A file in the JavaScript of old engines: `FindProxyForURL` never asks a resolver. */
export function pacFile({ proxy, domains, namespace, services, cidrs }: PacInput): string {
  const known: Record<string, 1> = {}
  let count = 0
  for (const { name, namespace: of } of services) {
    if (++count > MAX_SERVICES) break
    known[`${name}.${of}`] = 1
  }
  const nets = cidrs.flatMap(netOf)
  return `// Names and addresses of the cluster go through kt, everything else goes where it went.
var services = ${JSON.stringify(known)};
var suffixes = ${JSON.stringify(['svc', 'pod', ...domains].map(domain => `.${domain.toLowerCase()}`))};
var nets = ${JSON.stringify(nets)};
var ranges6 = ${JSON.stringify(cidrs.filter(cidr => cidr.includes(':')))};

function isCluster(host) {
  if (/^[0-9.]+$/.test(host)) {
    for (var i = 0; i < nets.length; i++) if (isInNet(host, nets[i][0], nets[i][1])) return true;
    return false;
  }
  if (host.indexOf(':') >= 0) {
    if (typeof isInNetEx !== 'function') return false;
    for (var j = 0; j < ranges6.length; j++) if (isInNetEx(host, ranges6[j])) return true;
    return false;
  }
  for (var k = 0; k < suffixes.length; k++) {
    var at = host.length - suffixes[k].length;
    if (at > 0 && host.indexOf(suffixes[k], at) === at) return true;
  }
  var labels = host.split('.');
  var last = labels[labels.length - 1];
  if (services.hasOwnProperty(last + ${JSON.stringify(`.${namespace}`)})) return true;
  return labels.length > 1 && services.hasOwnProperty(labels[labels.length - 2] + '.' + last);
}

function FindProxyForURL(url, host) {
  host = host.toLowerCase().replace(/^\\[|\\]$/g, '').replace(/\\.$/, '');
  return isCluster(host) ? ${JSON.stringify(`PROXY ${proxy}; SOCKS5 ${proxy}; SOCKS ${proxy}`)} : 'DIRECT';
}
`
}

/** `10.96.0.0/12` → address and mask, as `isInNet` wants them. */
function netOf(cidr: string): [string, string][] {
  const [address = '', bits = ''] = cidr.split('/')
  if (parseAddress(address)?.length !== IPV4_LENGTH) return []
  const mask = new Uint8Array(IPV4_LENGTH)
  for (let bit = 0; bit < Number(bits); bit++) mask[bit >> 3]! |= 0x80 >> (bit & 7)
  return [[address, formatAddress(mask, 0, IPV4_LENGTH)]]
}
