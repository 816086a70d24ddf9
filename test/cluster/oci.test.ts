import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import test from 'ava'
import { ociImage } from './oci.ts'
import { TarWriter } from './tar.ts'

interface Descriptor {
  digest: string
  size: number
  annotations: Record<string, string>
}

test('from the index every blob is found under its own sum and size, down to the layer', t => {
  const layer = new TarWriter()
  layer.file('/hello', Buffer.from('hello'))
  const layerBytes = layer.end()
  const image = ociImage({ name: 'kt.local/x:7', command: ['/hello'] }, layerBytes)
  const read = (path: string): Buffer => execFileSync('tar', ['-xOf', '-', path], { input: image })
  const blob = ({ digest, size }: Descriptor): Buffer => {
    const bytes = read(`blobs/sha256/${digest.slice('sha256:'.length)}`)
    t.is(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, digest)
    t.is(bytes.length, size)
    return bytes
  }
  const index = JSON.parse(read('index.json').toString()) as { manifests: [Descriptor] }
  t.is(index.manifests[0].annotations['io.containerd.image.name'], 'kt.local/x:7')
  const manifest = JSON.parse(blob(index.manifests[0]).toString()) as { config: Descriptor; layers: [Descriptor] }
  t.true(blob(manifest.layers[0]).equals(layerBytes))
  const config = JSON.parse(blob(manifest.config).toString()) as {
    config: { Cmd: string[] }
    rootfs: { diff_ids: string[] }
  }
  t.deepEqual(config.config.Cmd, ['/hello'])
  t.deepEqual(config.rootfs.diff_ids, [manifest.layers[0].digest])
})
