// Loaded before kt: another system, as far as a program sees it. Its name, and no file that only Linux has; koffi must not be asked for.
import fs from 'node:fs'
import { registerHooks, syncBuiltinESMExports } from 'node:module'

Object.defineProperty(process, 'platform', { value: process.env.KT_TEST_PLATFORM })

const LINUX_ONLY = /^\/(proc|sys|dev\/net|lib|run)\b/
for (const name of ['readFileSync', 'readlinkSync', 'accessSync', 'readdirSync', 'openSync']) {
  const real = fs[name]
  fs[name] = (path, ...rest) => {
    if (typeof path === 'string' && LINUX_ONLY.test(path))
      throw Object.assign(new Error(`ENOENT: no such file or directory, ${path}`), { code: 'ENOENT' })
    return real(path, ...rest)
  }
}
syncBuiltinESMExports()

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === 'koffi') throw new Error('koffi is loaded where no device is made')
    return next(specifier, context)
  }
})
