// Node's HTTP/1 without what else hangs on it: an `import` of 'node:http' evaluates every export, of which WebSocket is undici with Node's
// HTTP/2 and web streams, 4 to 12 MB (Node 24).
export const { Agent, createServer, request } = process.getBuiltinModule('node:http')
