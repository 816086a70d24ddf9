// A program of its own, in a namespace: the traffic server behind the kernel's own TCP, for comparison.
import { createServer } from 'node:net'
import { TRAFFIC_PORT } from '../traffic/ports.ts'
import { serve } from '../traffic/serve.ts'

process.on('disconnect', () => process.exit())
createServer({ noDelay: true }, serve).listen(TRAFFIC_PORT, '127.0.0.1', () => process.send?.('ready'))
