// Frames as a SPDY server writes them (draft 3.1 §2), made without the code that is tested.

export function control(type: number, payload: Uint8Array, flags = 0): Buffer {
  return Buffer.concat([Buffer.of(0x80, 3, 0, type, flags, 0, payload.length >> 8, payload.length & 0xff), payload])
}

/** SYN_REPLY; its compressed headers are of no interest to a client. */
export function reply(stream: number, final = false): Buffer {
  return control(2, Buffer.of(0, 0, 0, stream, 0x78, 0x9c, 0, 0), final ? 1 : 0)
}

export function data(stream: number, text: string | Uint8Array, final = false): Buffer {
  const bytes = Buffer.from(text)
  const header = Buffer.alloc(8)
  header.writeUInt32BE(stream, 0)
  header.writeUInt32BE(bytes.length, 4)
  header[4] = final ? 1 : 0
  return Buffer.concat([header, bytes])
}

export function reset(stream: number): Buffer {
  return control(3, Buffer.of(0, 0, 0, stream, 0, 0, 0, 5))
}

export function goAway(): Buffer {
  return control(7, Buffer.alloc(8))
}
