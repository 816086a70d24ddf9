// An image as `ctr images import` reads it: an OCI image layout in a tar, with one uncompressed layer.
import { createHash } from 'node:crypto'
import { TarWriter } from './tar.ts'

export interface ImageConfig {
  /** With tag: `kt.local/node:20`. */
  name: string
  command?: string[]
  entrypoint?: string[]
}

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const EPOCH = '1970-01-01T00:00:00Z'

/** Wrap a layer (a tar) into an image layout. */
export function ociImage({ name, command, entrypoint }: ImageConfig, layer: Buffer): Buffer {
  const tar = new TarWriter()
  const put = (mediaType: string, bytes: Buffer): { mediaType: string; digest: string; size: number } => {
    const hash = createHash('sha256').update(bytes).digest('hex')
    tar.file(`blobs/sha256/${hash}`, bytes)
    return { mediaType, digest: `sha256:${hash}`, size: bytes.length }
  }
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  tar.file('oci-layout', json({ imageLayoutVersion: '1.0.0' }))
  const layerBlob = put('application/vnd.oci.image.layer.v1.tar', layer)
  const config = put(
    'application/vnd.oci.image.config.v1+json',
    json({
      architecture,
      os: 'linux',
      created: EPOCH,
      config: { Env: [PATH], WorkingDir: '/', Cmd: command, Entrypoint: entrypoint },
      rootfs: { type: 'layers', diff_ids: [layerBlob.digest] },
      history: [{ created: EPOCH }]
    })
  )
  const manifestType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = put(manifestType, json({ schemaVersion: 2, mediaType: manifestType, config, layers: [layerBlob] }))
  const annotations = {
    'io.containerd.image.name': name,
    'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1)
  }
  const platform = { architecture, os: 'linux' }
  tar.file('index.json', json({ schemaVersion: 2, manifests: [{ ...manifest, annotations, platform }] }))
  return tar.end()
}
