// A release in its container, with what it needs around it: a configuration, certificates of clients and a backend.
import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { entrypoint } from '../../../scripts/image/entrypoint.ts'
import { type Emulator, startEmulator } from '../../../src/emulator/index.ts'
import { type Certificates, escapedOf, makeCertificates } from './certs.ts'
import { callTool, SOCKET_ORIGIN, socketAgent } from './mtls.ts'
import { sharedFolder } from './nginx.ts'
import * as oci from './oci.ts'
import { LIMITS, mtlsSection, POLICY, unixConfig } from './service.ts'

export const SOCKET = `${oci.RUN_DIR}/mcp.sock`

export interface ReleaseContainer extends oci.Container {
  /** Path of the socket outside. */
  readonly socket: string
  readonly runDir: string
}

export interface RunOptions {
  /** In place of the image's entrypoint and command. */
  readonly args?: readonly string[]
  readonly env?: readonly string[]
  readonly seccomp?: oci.SeccompProfile | null
  readonly withoutWalls?: boolean
  /** A folder of `configure`. */
  readonly config?: string
  readonly runDir?: string
}

export interface Release {
  readonly certs: Certificates
  /** Certificates and nginx's files are there. */
  readonly proxyDir: string
  readonly emulator: Emulator
  /** Called for each request that reaches the backend. */
  onBackendRequest: () => void
  /** Makes a configuration folder: the static file, the authorities of the clients and live/. */
  readonly configure: (name: string, change?: Readonly<Record<string, unknown>>) => string
  readonly run: (options?: RunOptions) => ReleaseContainer
  /** One call straight to the container's socket, as nginx makes it; the status and text of the answer. */
  readonly call: (service: ReleaseContainer) => Promise<string>
  readonly close: () => Promise<void>
}

/** `rootfs` is the unpacked image, `env` what its configuration sets. */
export async function prepareRelease(
  folder: string,
  rootfs: string,
  env: readonly string[],
): Promise<Release> {
  chmodSync(folder, 0o755)
  oci.mountPoints(rootfs)
  const proxyDir = join(folder, 'proxy')
  mkdirSync(proxyDir)
  const certs = makeCertificates(proxyDir, 'proxy')
  const emulator = await startEmulator({ observe: () => release.onBackendRequest() })
  const auth = { mtls: mtlsSection(`${oci.CONFIG_DIR}/clients.crt`) }
  const serve = [...entrypoint(), 'serve']

  const configure: Release['configure'] = (name, change = {}) => {
    const own = join(folder, name)
    const live = join(own, 'live')
    mkdirSync(live, { recursive: true })
    writeFileSync(join(live, 'policy.yaml'), POLICY)
    writeFileSync(join(live, 'limits.yaml'), LIMITS)
    writeFileSync(join(own, 'clients.crt'), certs.ca)
    const config = unixConfig({
      backendUrl: emulator.url,
      socket: SOCKET,
      live: `${oci.CONFIG_DIR}/live`,
      auth,
    })
    writeFileSync(
      join(own, 'config.yaml'),
      JSON.stringify({ ...(JSON.parse(config) as object), ops: '127.0.0.1:0', ...change }),
    )
    return own
  }

  const usual = configure('config')
  let runs = 0
  const release: Release = {
    certs,
    proxyDir,
    emulator,
    onBackendRequest: () => undefined,
    configure,
    run: ({
      args = serve,
      seccomp = oci.seccompProfile(),
      config = usual,
      withoutWalls = false,
      ...rest
    } = {}) => {
      const runDir = rest.runDir ?? sharedFolder(join(folder, `run-${++runs}`), oci.UID)
      const running = oci.runContainer({
        rootfs,
        folder,
        configDir: config,
        runDir,
        args,
        env: [...env, ...(rest.env ?? [])],
        seccomp,
        withoutWalls,
      })
      return { ...running, runDir, socket: join(runDir, 'mcp.sock') }
    },
    call: async (service) => {
      const dispatcher = socketAgent(service.socket)
      try {
        const headers = { 'x-client-cert': escapedOf(certs.client) }
        const { status, text } = await callTool(dispatcher, headers, SOCKET_ORIGIN)
        return `${status} ${text}`
      } finally {
        await dispatcher.close()
      }
    },
    close: () => emulator.close(),
  }
  return release
}

/** The shipped profile, where what it does not name ends the process in place of failing. */
export function killProfile(): oci.SeccompProfile {
  const profile = oci.seccompProfile()
  // Node asks for an io_uring at its start and goes on without one.
  const iouring = { names: ['io_uring_setup'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }
  return { ...profile, defaultAction: 'SCMP_ACT_KILL_PROCESS', syscalls: [...profile.syscalls, iouring] }
}

/** Puts files in place as kubelet does: a folder of their own, a link `..data` to it swapped by rename, and links to the files. */
export function mount(volume: string, version: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(volume, version))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(volume, version, name), text)
  symlinkSync(version, join(volume, '..data_tmp'))
  renameSync(join(volume, '..data_tmp'), join(volume, '..data'))
  for (const name of Object.keys(files)) {
    const link = join(volume, name)
    // Only the first time: later the link stays, and what it leads to changes.
    if (lstatSync(link).isSymbolicLink()) continue
    rmSync(link)
    symlinkSync(join('..data', name), link)
  }
}
