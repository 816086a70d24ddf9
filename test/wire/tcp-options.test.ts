import test from 'ava'
import fc from 'fast-check'
import { HEADER_LENGTH, SYN, TcpView } from '../../lib/wire/tcp.ts'
import { emitSynOptions, parseSynOptions, SYN_OPTIONS_MAX } from '../../lib/wire/tcp-options.ts'

/** A SYN with these option bytes, padded with zeros. */
function syn(...options: number[]): TcpView {
  const length = (options.length + 3) & ~3
  const view = new TcpView()
  view.bytes = new Uint8Array(HEADER_LENGTH + length)
  view.bytes.set(options, HEADER_LENGTH)
  view.emit(1, 2, 0, 0, SYN, 1000, length)
  view.wrap(view.bytes, 0, view.bytes.length)
  return view
}

const NONE = { mss: undefined, windowScale: undefined, sackPermitted: false, timestamp: undefined }

test('the SYN of a Linux kernel', t => {
  const options = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0x80, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]
  t.deepEqual(parseSynOptions(syn(...options)), {
    mss: 1460,
    windowScale: 7,
    sackPermitted: true,
    timestamp: 0x8000_0001
  })
})

test('no options', t => {
  t.deepEqual(parseSynOptions(syn()), NONE)
})

test('unknown options are passed over, nothing is read behind the end of the list', t => {
  t.deepEqual(parseSynOptions(syn(254, 3, 9, 1, 2, 4, 1, 0)), { ...NONE, mss: 256 })
  t.deepEqual(parseSynOptions(syn(0, 1, 1, 1, 2, 4, 1, 0)), NONE)
})

test('malformed ones end the list: length 0, 1, beyond the header; a wrong length is unknown', t => {
  t.deepEqual(parseSynOptions(syn(3, 3, 7, 2, 0, 1, 1, 1)), { ...NONE, windowScale: 7 })
  t.deepEqual(parseSynOptions(syn(2, 1, 1, 1)), NONE)
  t.deepEqual(parseSynOptions(syn(1, 1, 2, 4)), NONE)
  t.deepEqual(parseSynOptions(syn(1, 1, 1, 2)), NONE)
  t.deepEqual(parseSynOptions(syn(2, 3, 5, 3, 3, 2, 1, 1)), { ...NONE, windowScale: 2 })
})

test('a shift above 14 is 14 (RFC 7323 §2.3)', t => {
  t.is(parseSynOptions(syn(3, 3, 15)).windowScale, 14)
  t.is(parseSynOptions(syn(3, 3, 255)).windowScale, 14)
})

test('what is written is read', t => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.option(fc.nat(14), { nil: undefined }), (mss, windowScale) => {
      const bytes = new Uint8Array(SYN_OPTIONS_MAX)
      const length = emitSynOptions(bytes, 0, mss, windowScale)
      const found = parseSynOptions(syn(...bytes.subarray(0, length)))
      return length % 4 === 0 && found.mss === mss && found.windowScale === windowScale
    })
  )
  t.pass()
})

test('any bytes can be parsed', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), options => {
      const { mss, windowScale } = parseSynOptions(syn(...options))
      return (mss === undefined || mss <= 0xffff) && (windowScale === undefined || windowScale <= 14)
    })
  )
  t.pass()
})
