// `npm run bundle`: all of kt as one file, bundle/kt.mjs, which needs Node and nothing else. What it lacks is koffi, a native module:
// `kt up` looks for it as any import does and says so when it is not there; everything without a TUN works.
import { readFileSync, statSync } from 'node:fs'
import { build, type Plugin } from 'esbuild'
import { bundleAgent, bundleSshDoor } from './bundle-agent.ts'
import { bundlePage } from './bundle-page.ts'

const FILE = 'bundle/kt.mjs'
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
const sources = { agentSource: await bundleAgent(), sshDoorSource: await bundleSshDoor() }
const page = await bundlePage()

/** What is read from files beside the program becomes part of it. */
const embedded: Plugin = {
  name: 'embedded',
  setup({ onLoad }) {
    onLoad({ filter: /lib\/version\.ts$/ }, () => ({ contents: `export const version = ${JSON.stringify(version)}` }))
    onLoad({ filter: /lib\/kube\/shadow\/agent-source\.ts$/ }, () => ({
      contents: Object.entries(sources)
        .map(([name, text]) => `export const ${name} = async () => ${JSON.stringify(text)}`)
        .join('\n')
    }))
    onLoad({ filter: /lib\/dashboard\/page-files\.ts$/ }, () => ({
      contents: `export const pageFiles = async () => (${JSON.stringify(page)})`
    }))
  }
}

await build({
  entryPoints: ['bin/kt.ts'],
  outfile: FILE,
  bundle: true,
  platform: 'node',
  target: 'node22.20',
  format: 'esm',
  minify: true,
  keepNames: true,
  legalComments: 'linked',
  plugins: [embedded],
  external: ['koffi', 'cpu-features'],
  loader: { '.node': 'empty' },
  // Packages in CommonJS ask for Node's modules by `require`, and for their own place.
  banner: {
    js: `import { createRequire as requireOf } from 'node:module';const require = requireOf(import.meta.url), __dirname = import.meta.dirname, __filename = import.meta.filename;`
  }
})
console.log(`${FILE}: ${(statSync(FILE).size / 1e6).toFixed(1)} MB`)
