// The client certificate of `call` and the authorities it trusts, where nginx in front of the service asks for one.
import { createSecureContext } from 'node:tls'
import { type Io, UsageError } from '../cli/io.ts'
import { readNamed } from './values.ts'

export interface ClientTls {
  cert?: string
  key?: string
  ca?: string
}

export interface TlsOptions {
  'client-cert'?: string | undefined
  'client-key'?: string | undefined
  ca?: string | undefined
}

/** Undefined where no option names a file. */
export function readTls(url: URL, options: TlsOptions, io: Io): ClientTls | undefined {
  const { 'client-cert': cert, 'client-key': key, ca } = options
  if (cert === undefined && key === undefined && ca === undefined) return undefined
  if (url.protocol !== 'https:')
    throw new UsageError('--client-cert, --client-key and --ca are for an https URL; give one with --url.\n')
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError('--client-cert and --client-key belong together.\n')
  const read = (path: string, option: string): string => readNamed(path, option, io.readFile)
  const tls = {
    ...(cert !== undefined && { cert: read(cert, '--client-cert') }),
    ...(key !== undefined && { key: read(key, '--client-key') }),
    ...(ca !== undefined && { ca: read(ca, '--ca') }),
  }
  try {
    createSecureContext(tls)
  } catch {
    throw new UsageError(
      '--client-cert, --client-key, --ca: a file is not what its option says in PEM, or the key is of another certificate.\n',
    )
  }
  return tls
}

/** Node's own fetch takes no certificate; undici's does, and is loaded for it alone. */
export async function tlsFetch(tls: ClientTls): Promise<{ fetch: typeof fetch; close(): Promise<void> }> {
  const { Agent, fetch: send } = (await import('undici')).default
  const dispatcher = new Agent({ connect: tls })
  const secured = (input: unknown, init: unknown): unknown =>
    send(input as Parameters<typeof send>[0], { ...(init as Parameters<typeof send>[1]), dispatcher })
  return { fetch: secured as typeof fetch, close: () => dispatcher.destroy() }
}
