// `kt mesh`: those requests of a service that are meant for it come to a program on this laptop, all others stay where they were.
import { Command } from 'commander'
import { KtError } from '../errors.ts'
import { conditionsOf, parseMark } from '../kube/mesh/match.ts'
import { demandSelectorTarget, parseTarget } from '../kube/traffic/target.ts'
import { mesh } from '../session/traffic-in/mesh.ts'
import { manualMesh } from '../session/traffic-in/mesh-manual.ts'
import { detach } from './detach.ts'
import { type ExposingFlags, exposingFlags, exposingOptions } from './exposing.ts'
import { inForeground } from './foreground.ts'

interface MeshFlags extends ExposingFlags {
  mode: string
  versionMark?: string
  match?: string[]
  mirror?: boolean
  apply?: boolean
  takeover?: boolean
}

export function meshCommand(done: (code: number) => void): Command {
  return exposingFlags(new Command('mesh'))
    .description('lead those requests of a service that carry your header to a program on this laptop, until Ctrl-C')
    .argument('<target>', 'NAME of a service, or service/NAME, deployment/NAME, statefulset/NAME')
    .option('--versionMark <mark>', 'VERSION, HEADER: or HEADER:VERSION (default: version:, and five random letters)')
    .option(
      '--match <condition>',
      'header:NAME=VALUE, path:/PREFIX, query:NAME=VALUE, cookie:NAME=VALUE; ~ in place of = for a regular expression; given again, all must hold',
      (value: string, before: string[] = []) => [...before, value]
    )
    .option('--mirror', 'copies come here, the original pods answer')
    .option(
      '--mode <mode>',
      'auto: a router in the cluster; manual: a pod with labels, for Istio or the Gateway API',
      'auto'
    )
    .option('--apply', 'with --mode manual: write the rules of Istio or the Gateway API, and remove them at the end')
    .option('--takeover', 'take the version of somebody who has been silent')
    .addHelpText(
      'after',
      `
Examples:
  kt mesh web --expose 3000:80                           requests with the header that is then named come to 127.0.0.1:3000
  kt mesh web --expose 3000:80 --versionMark blue        with VERSION: blue; --versionMark x-team:blue: with X-TEAM: blue
  kt mesh web --expose 3000:80 --match path:/api/v2 --match cookie:user=ada
  kt mesh web --expose 3000:80 --match 'header:user-agent~.*Firefox.*'
  kt mesh web --expose 3000:80 --mirror                  see what is asked, change nothing
Several developers may mesh one service at a time, each with a version of his own.`
    )
    .action(async (text: string, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<MeshFlags>()
      const target = parseTarget(text)
      demandSelectorTarget(target)
      const apply = flags.apply ?? false
      demandMode(flags.mode, apply)
      const mark = parseMark(flags.versionMark)
      const { match: matches = [], mirror = false, takeover = false, expose = '' } = flags
      conditionsOf(mark, matches)
      if (flags.detach) return await detach(flags, 'mesh')
      const options = { ...exposingOptions(flags), target, expose, mark, matches, mirror, takeover }
      const run = flags.mode === 'manual' ? manualMesh : mesh
      done(await inForeground(flags, (report, stop) => run({ ...options, apply }, report, stop)))
    })
}

function demandMode(mode: string, apply: boolean): void {
  if (mode !== 'auto' && mode !== 'manual')
    throw new KtError('KT_USAGE', `there is no --mode ${mode}`, { hint: 'auto or manual' })
  if (apply && mode === 'auto')
    throw new KtError('KT_USAGE', '--apply writes the rules of --mode manual', { hint: 'the default needs none' })
}
