// The laptop's resolv.conf, for tests that need another one for a while.
import { program, succeed } from './program.ts'

/** Remember contents, mode and owner; the result puts them back. */
export async function keepResolver(): Promise<() => Promise<void>> {
  const text = await program('cat', '/etc/resolv.conf')
  const [mode = '', owner = ''] = (await program('stat', '-L', '-c', '%a %u:%g', '/etc/resolv.conf')).trim().split(' ')
  return async () => {
    // Written over in place: on the laptop it is a bind mount.
    const script = `cat > /etc/resolv.conf; chmod ${mode} /etc/resolv.conf; chown ${owner} /etc/resolv.conf`
    await succeed({ input: text }, 'sh', '-c', script)
  }
}
