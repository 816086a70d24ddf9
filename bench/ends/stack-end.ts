// A program of its own, in a namespace with a TUN: the traffic server behind our TCP and UDP instead of the kernel's.
// Argument: `offload` or `plain`. Says 'ready' to its parent.
import { Stack } from '../../lib/stack/stack.ts'
import { openTun } from '../../lib/tun/linux.ts'
import { configure } from '../../test/_support/laptop.ts'
import { serve } from '../traffic/serve.ts'

const device = await openTun({ name: 'bench0', offload: process.argv[2] === 'offload' })
configure(device)
const stack = new Stack({
  device,
  onConnection: pending => serve(pending.accept()),
  onFlow: flow => {
    flow.onDatagram = bytes => {
      flow.send(bytes)
    }
  },
  onEcho: echo => echo.reply()
})
stack.start()
process.on('disconnect', () => process.exit())
process.send?.('ready')
