// nginx as a reverse proxy that routes by a header, as kt-connect's router does: Debian's, unpacked, not installed.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../test/cluster/run.ts'
import { cacheDirectory } from '../../test/cluster/settings.ts'
import { Unavailable } from './way.ts'

/** The program is in the first; the others are what a small Debian lacks of its libraries. */
const PACKAGES = ['nginx', 'libpcre2-8-0']

/** The program and the arguments that start it in the foreground, listening at `port`, its server at `upstream` of 127.0.0.1. */
export interface NginxCommand {
  program: string
  args: string[]
  env: Record<string, string>
  remove(): void
}

/** Rejects with {@link Unavailable} where it cannot be had. */
export async function nginxCommand(port: number, upstream: number): Promise<NginxCommand> {
  const packages = await unpacked().catch((error: unknown) => {
    throw new Unavailable(`nginx is not measured: ${String((error as Error).message).split('\n')[0]}`)
  })
  const folder = mkdtempSync(join(tmpdir(), 'kt-bench-nginx-'))
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, configuration(folder, port, upstream))
  return {
    program: join(packages, 'usr/sbin/nginx'),
    args: ['-p', folder, '-c', file, '-e', 'stderr'],
    env: { LD_LIBRARY_PATH: join(packages, 'usr/lib/x86_64-linux-gnu') },
    remove: () => rmSync(folder, { recursive: true, force: true })
  }
}

async function unpacked(): Promise<string> {
  const directory = join(cacheDirectory(process.env), 'bench-nginx')
  const packages = join(directory, 'root')
  mkdirSync(packages, { recursive: true })
  if (existsSync(join(packages, 'usr/sbin/nginx'))) return packages
  await run('apt-get', ['download', ...PACKAGES], { cwd: directory })
  for (const name of readdirSync(directory).filter(each => each.endsWith('.deb'))) {
    await run('dpkg', ['-x', join(directory, name), packages])
  }
  return packages
}

/** A worker for each processor, connections to the server kept, nothing written per request; a version that nobody has. */
function configuration(folder: string, port: number, upstream: number): string {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`)
  return `daemon off;
user root;
pid ${folder}/pid;
worker_processes auto;
events { worker_connections 8192; }
http {
  ${paths.join('\n  ')}
  access_log off;
  keepalive_requests 1000000000;
  map $http_version $target { default original; abcde mesh; }
  upstream original { server 127.0.0.1:${upstream}; keepalive 256; keepalive_requests 1000000000; }
  upstream mesh { server 127.0.0.1:${upstream}; keepalive 256; }
  server {
    listen ${port} backlog=4096;
    location / {
      proxy_pass http://$target;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }
  }
}
`
}
