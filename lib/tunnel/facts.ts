// What the agent knows about the cluster without asking anybody: its own pod.

export interface AgentFacts {
  /** Version of kt the agent was bundled from. */
  version: string
  /** Id of the agent's process, hex: another one means that everything from before is gone. */
  instance: string
  /** `process.version`. */
  node: string
  /** Text of `/etc/resolv.conf`. */
  resolvConf: string
  /** `KUBERNETES_SERVICE_HOST`, or empty. */
  serviceHost: string
  podAddresses: { address: string; prefix: number }[]
  /** Text of `/proc/net/route`. */
  routes: string
  /** Of the ssh door, as known_hosts has it: `ssh-ed25519 AAAA…`; empty without one. */
  sshHostKey: string
}
