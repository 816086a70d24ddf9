// Every error that a user can meet: a stable code, one line, and what to do about it.

/** Match on these, never on the text of a message. */
export type KtErrorCode =
  | 'KT_USAGE' // the command line is wrong
  | 'KT_NOT_ROOT' // rights on this computer are missing
  | 'KT_NO_TUN' // no device can be made: /dev/net/tun or wintun.dll is not there or cannot be opened
  | 'KT_NO_TOOL' // a program this computer should have (ip, resolvectl) is missing
  | 'KT_PLATFORM' // this operating system is not supported (yet)
  | 'KT_RUNNING' // another `kt up` holds the laptop
  | 'KT_NOT_RUNNING' // no `kt up` runs that could be asked
  | 'KT_KUBECONFIG' // no kubeconfig, or one that cannot be read; unknown context
  | 'KT_API_UNREACHABLE' // no answer from the API server
  | 'KT_JUMP_HOST' // the host of --via cannot be reached, or refuses
  | 'KT_UNAUTHORIZED' // the API server does not know who we are
  | 'KT_FORBIDDEN' // a right in the cluster is missing: verb and resource are in the message
  | 'KT_NOT_FOUND' // something in the cluster is not there
  | 'KT_CONFLICT' // somebody else holds what is asked for, or the name is taken
  | 'KT_API' // any other refusal of the API server
  | 'KT_SHADOW_FAILED' // the shadow pod cannot run: the cluster's own words are in the message
  | 'KT_SHADOW_TIMEOUT' // the shadow pod was not ready in time
  | 'KT_CARRIER_REFUSED' // the port-forward was refused
  | 'KT_CARRIER_LOST' // the port-forward broke
  | 'KT_AGENT' // the agent does not speak our protocol or refuses our key
  | 'KT_NO_LOCAL' // nobody listens at the local port that is to be exposed
  | 'KT_DEVICE_LOST' // the TUN went away
  | 'KT_ROUTES' // a route cannot be set
  | 'KT_RESOLVER' // the resolver cannot be set or put back
  | 'KT_JOURNAL' // the journal cannot be written
  | 'KT_INTERNAL' // a fault of ours

/** The one error class that leaves a folder of `lib`; `message` is one line without a full stop. */
export class KtError extends Error {
  override readonly name = 'KtError'
  readonly code: KtErrorCode
  /** What the user can do, one line; empty when there is nothing. */
  readonly hint: string

  constructor(code: KtErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint ?? ''
  }
}
