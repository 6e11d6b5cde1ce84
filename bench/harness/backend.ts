// The fake Ductape backend of the runs: its own process, one fixed answer per call, parsed and written on a bare socket.
// It speaks to its parent over IPC: `{ answerBytes }` in, `{ port }` once and `{ answerBytes }` back out.
import net from 'node:net'
import { envelope, faults } from './calls.ts'

const bodyLimit = 4_194_304

function answer(status: string, text: string): Buffer {
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n`
  return Buffer.from(head + text)
}

const statusFalse = answer('200 OK', '{"status":false,"message":"the entity is locked"}')
const serverError = answer('500 Internal Server Error', '{"status":false,"message":"out of order"}')
const tooLarge = answer('413 Content Too Large', '{"status":false}')
const noLength = answer('411 Length Required', '{"status":false}')
let good = answer('200 OK', envelope(1024))

function reply(request: Buffer): Buffer {
  if (request.includes(faults.statusFalse)) return statusFalse
  if (request.includes(faults.serverError)) return serverError
  return good
}

const server = net.createServer({ noDelay: true }, (socket) => {
  let pending: Buffer | undefined
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    let bytes = pending === undefined ? chunk : Buffer.concat([pending, chunk])
    pending = undefined
    while (bytes.length > 0) {
      const end = bytes.indexOf('\r\n\r\n')
      if (end < 0) break
      const length = /\r\ncontent-length: *(\d+)/i.exec(bytes.toString('latin1', 0, end))?.[1]
      if (length === undefined) return void socket.end(noLength)
      const total = end + 4 + Number(length)
      if (total > bodyLimit) return void socket.end(tooLarge)
      if (bytes.length < total) break
      socket.write(reply(bytes.subarray(end + 4, total)))
      bytes = bytes.subarray(total)
    }
    if (bytes.length > bodyLimit) return void socket.end(tooLarge)
    if (bytes.length > 0) pending = bytes
  })
})

server.listen(0, '127.0.0.1', 1024, () => {
  process.send?.({ port: (server.address() as net.AddressInfo).port })
})
process.on('message', ({ answerBytes }: { answerBytes: number }) => {
  good = answer('200 OK', envelope(answerBytes))
  process.send?.({ answerBytes })
})
process.on('disconnect', () => process.exit(0))
