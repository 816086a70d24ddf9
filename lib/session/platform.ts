// What of kt differs by operating system. Which one this is, is asked here.
import { accessSync, constants } from 'node:fs'
import { KtError } from '../errors.ts'
import { isAdministrator } from '../host/powershell.ts'
import * as darwinResolver from '../host/resolver-darwin.ts'
import * as linuxResolver from '../host/resolver-linux.ts'
import * as windowsResolver from '../host/resolver-windows.ts'
import * as darwinRoutes from '../host/routes-darwin.ts'
import type { DeviceSetup, LocalNetworks } from '../host/routes-linux.ts'
import * as linuxRoutes from '../host/routes-linux.ts'
import * as windowsRoutes from '../host/routes-windows.ts'
import { findWintun } from '../host/wintun-library.ts'
import { openUtun } from '../tun/darwin.ts'
import type { Device } from '../tun/device.ts'
import { openTun } from '../tun/linux.ts'
import { openWintun } from '../tun/windows.ts'
import { loadWintun } from '../tun/wintun.ts'

/** The functions of lib/host and lib/tun under these names, each in the file for its system. */
export interface Platform {
  /** For the user. */
  readonly name: string
  /** Written to the documents of the system, and not run on such a computer yet: said to the user. */
  readonly untested: boolean
  /** Command lines whose output shows the network to somebody who helps. */
  readonly shows: readonly string[]
  /** Throws KT_NOT_ROOT, or KT_PLATFORM, when this process may not make a network device here. Changes nothing. */
  demandRights(): void | Promise<void>
  /** What of the system makes the device, for the user. Throws KT_NO_TUN where it is missing. Changes nothing. */
  demandDriver(): string | Promise<string>
  /** The name is a wish: it is the device that says how it is called. */
  openTun(name: string): Promise<Device>
  configureDevice(device: string, setup: DeviceSetup): Promise<void>
  addRoutes(device: string, cidrs: readonly string[]): Promise<void>
  addRoutesFirst(device: string, cidrs: readonly string[]): Promise<void>
  removeRoutes(device: string, cidrs: readonly string[]): Promise<void>
  localNetworks(except?: string): Promise<LocalNetworks>
  pointResolver(options: linuxResolver.PointResolverOptions): Promise<linuxResolver.PointedResolver>
  laptopUpstreams(): Promise<string[]>
}

const TUN = '/dev/net/tun'

function demandRoot(): void {
  if (process.getuid?.() !== 0)
    throw new KtError('KT_NOT_ROOT', 'kt up must be root to make a network device', { hint: 'try: sudo kt up' })
}

const linux: Platform = {
  name: 'Linux',
  untested: false,
  shows: ['ip address show', 'ip rule show', 'ip route show table all', 'ip -6 route show table all'],
  demandRights: demandRoot,
  demandDriver() {
    try {
      accessSync(TUN, constants.R_OK | constants.W_OK)
    } catch (cause) {
      throw new KtError('KT_NO_TUN', `${TUN} is not there or may not be opened`, {
        hint: 'modprobe tun; in a container: --device /dev/net/tun --cap-add NET_ADMIN',
        cause
      })
    }
    return TUN
  },
  openTun: name => openTun({ name }),
  configureDevice: linuxRoutes.configureDevice,
  addRoutes: linuxRoutes.addRoutes,
  addRoutesFirst: linuxRoutes.addRoutesFirst,
  removeRoutes: linuxRoutes.removeRoutes,
  localNetworks: linuxRoutes.localNetworks,
  pointResolver: linuxResolver.pointResolver,
  laptopUpstreams: linuxResolver.laptopUpstreams
}

const darwin: Platform = {
  name: 'macOS',
  untested: true,
  shows: ['ifconfig', 'netstat -rn', 'scutil --dns'],
  demandRights: demandRoot,
  demandDriver: () => 'utun, which is part of macOS',
  openTun: () => openUtun(),
  ...darwinRoutes,
  ...darwinResolver
}

const win32: Platform = {
  name: 'Windows',
  untested: true,
  shows: ['ipconfig /all', 'route print', 'netsh dnsclient show state'],
  async demandRights() {
    if (!(await isAdministrator()))
      throw new KtError('KT_NOT_ROOT', 'kt up must run as administrator to make a network device', {
        hint: 'open the terminal with "Run as administrator"'
      })
  },
  demandDriver: async () => `${await findWintun()}, signed by WireGuard LLC`,
  openTun: async name => openWintun(await loadWintun(await findWintun()), name),
  ...windowsRoutes,
  ...windowsResolver
}

/** Proxy, exchange, mesh, preview and forward need nothing of what is refused here. */
function unknownSystem(name: string): Platform {
  return {
    ...linux,
    name,
    demandRights() {
      throw new KtError('KT_PLATFORM', `kt up does not run on ${name}`, {
        hint: 'kt up --socks, kt forward and the library do'
      })
    }
  }
}

const PLATFORMS: Partial<Record<NodeJS.Platform, Platform>> = { linux, darwin, win32 }

export const platform: Platform = PLATFORMS[process.platform] ?? unknownSystem(process.platform)
