import test from 'ava'
import { typedFlags } from '../../lib/commands/global.ts'
import { buildProgram } from '../../lib/commands/main.ts'

test('flags that were typed are words for another kt; defaults and what is configured are its own affair', t => {
  const program = buildProgram(() => {})
  program.parseOptions(['-n', 'shop', '-q', '--nodeSelector', 'disk=fast', '--podCreationTimeout', '90', '-f'])
  program.setOptionValueWithSource('image', 'configured', 'config')
  t.deepEqual(typedFlags(program, new Set(['quiet'])), [
    ...['--namespace', 'shop', '--nodeSelector', 'disk=fast', '--podCreationTimeout', '90'],
    '--forceUpdate'
  ])
})
