// Ports of the loopback interface that the kernel chooses: for a server of a test, or one on which nothing listens.
import { type AddressInfo, createServer, type Server } from 'node:net'

/** Listens on a free port of 127.0.0.1 and gives it. */
export async function listenLocal(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  return (server.address() as AddressInfo).port
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listenLocal(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}
