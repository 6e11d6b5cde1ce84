// The unix socket of the main listener: its mode, the folder it may stand in, what it replaces and what it leaves alone.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { UsageError } from '../../src/cli/io.ts'
import { listenUnix } from '../../src/cli/socket.ts'

const root = mkdtempSync(join(tmpdir(), 'ductape-mcp-socket-'))
after(() => rmSync(root, { recursive: true, force: true }))

let folders = 0
function folder(mode = 0o750): string {
  const path = join(root, `f${++folders}`)
  mkdirSync(path)
  chmodSync(path, mode)
  return path
}

const echo = (): Server =>
  // Whoever only looks whether somebody listens goes away without reading.
  createServer((socket) => socket.on('error', () => undefined).end('here'))
const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

/** What a client of the socket gets: its answer, or the code of the error. */
function ask(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('data', (data) => resolve(String(data)))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
  })
}

async function refused(path: string, pattern: RegExp): Promise<void> {
  const server = echo()
  await assert.rejects(listenUnix(server, path), (error: Error) => {
    assert.ok(error instanceof UsageError)
    assert.match(error.message, pattern)
    assert.ok(error.message.startsWith('listen: ') && error.message.endsWith('.\n'), error.message)
    return true
  })
  assert.equal(server.listening, false)
}

/** A socket file whose process was killed. */
async function abandoned(path: string): Promise<void> {
  const script = `require('node:net').createServer().listen(process.argv[1], () => process.stdout.write('x'))`
  const child = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
  assert.ok(lstatSync(path).isSocket())
}

describe('a unix socket', () => {
  it('is for owner and group, answers, and goes away at the end', async () => {
    const path = join(folder(), 'mcp.sock')
    const mask = process.umask()
    const server = echo()
    assert.equal(await listenUnix(server, path), path)
    assert.equal(lstatSync(path).mode & 0o777, 0o660)
    assert.equal(process.umask(), mask)
    assert.equal(await ask(path), 'here')
    await close(server)
    assert.equal(existsSync(path), false)
  })

  it('replaces the one of a process that was killed', async () => {
    const path = join(folder(), 'mcp.sock')
    await abandoned(path)
    const server = echo()
    await listenUnix(server, path)
    assert.equal(await ask(path), 'here')
    assert.equal(lstatSync(path).mode & 0o777, 0o660)
    await close(server)
  })

  it('leaves one alone that somebody answers', async () => {
    const path = join(folder(), 'mcp.sock')
    const first = echo()
    await listenUnix(first, path)
    await refused(path, /another process listens there/)
    assert.equal(await ask(path), 'here')
    await close(first)
  })

  it('leaves other files alone', async () => {
    const path = join(folder(), 'mcp.sock')
    writeFileSync(path, 'mine')
    await refused(path, /exists and is not a socket/)
    assert.equal(readFileSync(path, 'utf8'), 'mine')
    const link = join(folder(), 'mcp.sock')
    symlinkSync(path, link)
    await refused(link, /exists and is not a socket/)
    const directory = join(folder(), 'mcp.sock')
    mkdirSync(directory)
    await refused(directory, /exists and is not a socket/)
  })

  it('a folder that is missing, no folder, or open to everybody: refused', async () => {
    const missing = join(root, 'missing')
    await refused(join(missing, 'mcp.sock'), /\(ENOENT\)\. Create it first/)
    assert.equal(existsSync(missing), false)
    const file = join(folder(), 'file')
    writeFileSync(file, '')
    await refused(join(file, 'mcp.sock'), /is not a folder|ENOTDIR/)
    for (const mode of [0o777, 0o1777, 0o752]) {
      const open = folder(mode)
      await refused(join(open, 'mcp.sock'), /everybody may write to the folder/)
      assert.equal(existsSync(join(open, 'mcp.sock')), false)
    }
  })

  it('a group may write to the folder: that is how nginx and the service share it', async () => {
    const path = join(folder(0o2770), 'mcp.sock')
    const server = echo()
    await listenUnix(server, path)
    assert.equal(await ask(path), 'here')
    await close(server)
  })

  it('another user gets no connection', { skip: process.getuid?.() !== 0 && 'needs root' }, async () => {
    const path = join(folder(0o755), 'mcp.sock')
    chmodSync(root, 0o755)
    const server = echo()
    await listenUnix(server, path)
    const script = `require('node:net').connect(process.argv[1])
      .on('connect', () => process.stdout.write('connected'))
      .on('error', (error) => process.stdout.write(error.code))
      .on('close', () => process.exit())`
    const stranger = async (uid: number, gid: number): Promise<string> => {
      const child = spawn(process.execPath, ['-e', script, path], {
        uid,
        gid,
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      let text = ''
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      await once(child, 'close')
      return text
    }
    assert.equal(await stranger(10_199, 10_199), 'EACCES')
    // The group is who nginx is: the control that shows the probe can succeed.
    assert.equal(await stranger(10_199, lstatSync(path).gid), 'connected')
    await close(server)
  })
})
