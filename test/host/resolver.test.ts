// /etc/resolv.conf in every form, on a laptop of its own: changed, put back byte by byte, and put back after a crash.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Namespace, type Worker, whyNoNamespace } from '../_support/netns.ts'
import { OWN_ETC, WORKER } from './_laptop.ts'

/** Where the journals lie: on a file system of the worker's own. */
const JOURNALS = '/var/tmp'
const ONE = "printf 'nameserver 192.0.2.53\\n' > /etc/resolv.conf"
/** Lines of a shell that undo what the test before this one has mounted. */
const FRESH = `umount -l /etc /var/tmp 2>/dev/null || true; mount -t tmpfs tmpfs ${JOURNALS}; ${OWN_ETC}`

const reason = whyNoNamespace()
let namespace: Namespace | undefined
let worker: Worker

test.before(() => {
  if (reason !== undefined) return
  namespace = new Namespace()
  worker = namespace.fork(WORKER)
})
test.after.always(() => namespace?.remove())

/** One after the other on one laptop, each with an /etc of its own that the shell lines `make` have filled. */
function onLaptop(title: string, make: string, f: (t: ExecutionContext) => Promise<void>): void {
  test.serial(title, async t => {
    if (reason !== undefined) {
      t.log(`skipped: ${reason}`)
      t.pass()
      return
    }
    await worker.call('shell', FRESH + make)
    await f(t)
  })
}

const FORMS: Record<string, { make: string; upstreams: string[] }> = {
  'a file': {
    make: "printf 'nameserver 192.0.2.53\\nsearch corp.test\\n' > /etc/resolv.conf",
    upstreams: ['192.0.2.53']
  },
  'a file with mode and owner': {
    make: "printf 'nameserver 192.0.2.53\\n' > /etc/resolv.conf; chmod 640 /etc/resolv.conf; chown 7:8 /etc/resolv.conf",
    upstreams: ['192.0.2.53']
  },
  'a bind mount': {
    make: "printf 'nameserver 192.0.2.53\\nnameserver 192.0.2.54\\n' > /etc/bound; touch /etc/resolv.conf; mount --bind /etc/bound /etc/resolv.conf",
    upstreams: ['192.0.2.53', '192.0.2.54']
  },
  'a link': {
    make: "mkdir -p /etc/stub; printf 'nameserver 192.0.2.53\\n' > /etc/stub/real; ln -s stub/real /etc/resolv.conf",
    upstreams: ['192.0.2.53']
  },
  'a link to nowhere': { make: 'ln -s /run/nowhere/resolv.conf /etc/resolv.conf', upstreams: ['127.0.0.1'] },
  'no file': { make: ':', upstreams: ['127.0.0.1'] },
  'an empty file': { make: ': > /etc/resolv.conf', upstreams: ['127.0.0.1'] },
  'no nameserver': { make: "printf '# nothing\\noptions edns0\\n' > /etc/resolv.conf", upstreams: ['127.0.0.1'] },
  'comments, options and no end of line': {
    make: "printf '# a\\n; b\\noptions edns0 trust-ad\\n\\nnameserver fe80::1%%eth0\\nnameserver 192.0.2.53' > /etc/resolv.conf",
    upstreams: ['fe80::1%eth0', '192.0.2.53']
  },
  'bytes that are no text': {
    make: "printf '# \\377\\000\\200\\r\\nnameserver 192.0.2.53\\r\\n' > /etc/resolv.conf",
    upstreams: ['192.0.2.53']
  }
}

for (const [form, { make, upstreams }] of Object.entries(FORMS)) {
  onLaptop(`${form}: put back byte by byte, by us and by the next kt after SIGKILL`, make, async t => {
    const before = await worker.call('snapshot')

    t.like(await worker.call('point', JOURNALS), { mode: 'resolv.conf', upstreams })
    const text = await worker.call<string>('text')
    t.is(text.split('\n')[1], 'nameserver 198.18.0.2')
    t.true(text.split('\n')[2]?.startsWith('search demo.svc.cluster.local svc.cluster.local cluster.local'))
    t.deepEqual(await worker.call('recover', JOURNALS), [], 'its process lives')
    t.is(await worker.call('text'), text)
    t.deepEqual(await worker.call('restore'), [])
    t.is(await worker.call('snapshot'), before)
    t.deepEqual(await worker.call('restore'), [], 'again does nothing')

    t.is(await worker.call('crash', JOURNALS), 'SIGKILL')
    t.not(await worker.call('snapshot'), before)
    t.deepEqual(await worker.call('recover', JOURNALS), ['/etc/resolv.conf is as it was before'])
    t.is(await worker.call('snapshot'), before)
    t.deepEqual(await worker.call('recover', JOURNALS), [])
  })
}

onLaptop('somebody changes the file meanwhile: only our lines are taken out, and it is said', ONE, async t => {
  await worker.call('point', JOURNALS)
  await worker.call('shell', 'echo "nameserver 192.0.2.99" >> /etc/resolv.conf')
  const said = await worker.call<string[]>('restore')
  t.deepEqual(said, ["/etc/resolv.conf was changed by another program meanwhile: only kt's own lines were taken out"])
  t.is(await worker.call('text'), 'nameserver 192.0.2.53\nnameserver 192.0.2.99\n')
})

onLaptop('somebody replaces the file meanwhile: it is his', ONE, async t => {
  await worker.call('crash', JOURNALS)
  await worker.call('shell', 'echo "nameserver 192.0.2.7" > /etc/new; mv /etc/new /etc/resolv.conf')
  t.deepEqual(await worker.call('recover', JOURNALS), [])
  t.is(await worker.call('text'), 'nameserver 192.0.2.7\n')
  t.is(await worker.call('shell', `ls ${JOURNALS}`), '', 'the journal is done with')
})

onLaptop('another session has taken the file over: putting it back is for that one', ONE, async t => {
  await worker.call('crash', JOURNALS)
  await worker.call('shell', 'text=$(sed s/198.18.0.2/198.18.0.6/ /etc/resolv.conf); echo "$text" > /etc/resolv.conf')
  const text = await worker.call('text')
  t.deepEqual(await worker.call('recover', JOURNALS), [])
  t.is(await worker.call('text'), text)
})

onLaptop('two that recover at once: one of them does it', ONE, async t => {
  await worker.call('crash', JOURNALS)
  const said = await Promise.all([
    worker.call<string[]>('recover', JOURNALS),
    worker.call<string[]>('recover', JOURNALS)
  ])
  t.deepEqual(said.flat(), ['/etc/resolv.conf is as it was before'])
  t.is(await worker.call('text'), 'nameserver 192.0.2.53\n')
})

onLaptop('a kt that is killed while it recovers: the next one does it', ONE, async t => {
  await worker.call('crash', JOURNALS)
  await worker.call('shell', `cd ${JOURNALS}; for f in *; do mv $f $f.claimed-999999999-1@boot; done`)
  t.deepEqual(await worker.call('recover', JOURNALS), ['/etc/resolv.conf is as it was before'])
  t.is(await worker.call('shell', `ls ${JOURNALS}`), '')
})

onLaptop('lines of an earlier kt whose journal is lost are not taken for what was there before', ONE, async t => {
  await worker.call('crash', JOURNALS)
  await worker.call('shell', `rm ${JOURNALS}/*`)
  t.like(await worker.call('point', JOURNALS), { upstreams: ['192.0.2.53'] })
  await worker.call('restore')
  t.is(await worker.call('text'), 'nameserver 192.0.2.53\n')
})

onLaptop('a journal whose last line was not written to its end changes nothing', ONE, async t => {
  const before = await worker.call('snapshot')
  await worker.call('crash', JOURNALS)
  await worker.call(
    'shell',
    `cd ${JOURNALS}; for f in *; do truncate -s -20 $f; done; printf 'nameserver 192.0.2.53\\n' > /etc/resolv.conf`
  )
  t.deepEqual(await worker.call('recover', JOURNALS), [])
  t.is(await worker.call('snapshot'), before)
})

onLaptop('what cannot be put back stays in the journal, and is put back by the next', ONE, async t => {
  const before = await worker.call('snapshot')
  await worker.call('crash', JOURNALS)
  await worker.call('shell', 'mount -o remount,ro /etc')
  const said = await worker.call<string[]>('recover', JOURNALS)
  await worker.call('shell', 'mount -o remount,rw /etc')
  t.is(said.length, 1)
  t.regex(said[0] ?? '', /^not put back: .*EROFS/)
  t.deepEqual(await worker.call('recover', JOURNALS), ['/etc/resolv.conf is as it was before'])
  t.is(await worker.call('snapshot'), before)
})

const DHCP = "printf '# new\\nsearch office.test\\nnameserver 192.0.2.99\\n'"
/** How a DHCP client, an editor and a program that starts anew write the file. */
const WRITERS = {
  'writes it over': `${DHCP} > /etc/resolv.conf`,
  'puts another one in its place': `${DHCP} > /etc/new; mv /etc/new /etc/resolv.conf`,
  'removes it and makes it anew': `rm /etc/resolv.conf; sleep 0.05; ${DHCP} > /etc/resolv.conf`
}

for (const [what, shell] of Object.entries(WRITERS)) {
  onLaptop(
    `another program ${what}: ours is in front again, its servers are asked, its file is put back`,
    ONE,
    async t => {
      await worker.call('point', JOURNALS)
      await worker.call('shell', shell)
      const wanted = [
        'nameserver 198.18.0.2',
        'search demo.svc.cluster.local svc.cluster.local cluster.local office.test'
      ]
      await until(async () => (await worker.call<string[]>('upstreams')).length > 0)
      t.deepEqual((await worker.call<string>('text')).split('\n').slice(1, 3), wanted)
      t.deepEqual(await worker.call('upstreams'), ['192.0.2.99'])
      t.regex(
        (await worker.call<string[]>('restore')).join(),
        /was written by another program: 198\.18\.0\.2 is in front/
      )
      t.is(await worker.call('text'), '# new\nsearch office.test\nnameserver 192.0.2.99\n')
    }
  )
}

onLaptop(
  'another program writes it while kt runs, and kt is killed: the next one puts that file back',
  ONE,
  async t => {
    await worker.call('crash', JOURNALS, WRITERS['writes it over'])
    t.true((await worker.call<string>('text')).includes('198.18.0.2'))
    t.deepEqual(await worker.call('recover', JOURNALS), ['/etc/resolv.conf is as it was before'])
    t.is(await worker.call('text'), '# new\nsearch office.test\nnameserver 192.0.2.99\n')
  }
)

onLaptop('another program writes it again and again: kt gives in and says so', ONE, async t => {
  await worker.call('point', JOURNALS)
  for (let i = 0; i < 6; i++) {
    await worker.call('shell', `${DHCP} > /etc/resolv.conf; echo '# ${i}' >> /etc/resolv.conf`)
    await sleep(500)
  }
  t.true((await worker.call<string>('text')).startsWith('# new'))
  t.regex((await worker.call<string[]>('restore')).join(), /again and again/)
  t.true((await worker.call<string>('text')).endsWith('# 5\n'))
})

/** The watch of the file waits for its writer; a busy machine for both. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 5000
  while (!(await isSo()) && performance.now() < end) await sleep(50)
}
