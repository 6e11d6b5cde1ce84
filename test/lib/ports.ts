// Ports of the loopback interface that the kernel chooses: for a server of a test, or one on which nothing listens.
import { randomInt } from 'node:crypto'
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

/**
 * A port below those that the kernel gives to outgoing connections: for a server that is killed and restarted on it, because a client that
 * dials a port of its own range while nobody listens can be connected to itself, and holds the port.
 */
export async function quietPort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (isFree) return port
  }
}
