// What `npm run verify install` types: the page's two paths, each whole and unmixed, and a shell in which a command that fails ends it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  type Block,
  commandsOf,
  KIND,
  ONE_NODE,
  type Path,
  withoutCertificate,
} from '../../scripts/verify/install/page.ts'
import { type Session, typeInto } from '../../scripts/verify/install/type.ts'

const ROOT = new URL('../../', import.meta.url)
const page = readFileSync(new URL('docs/operate/install.md', ROOT), 'utf8')
const textOf = (path: Path): string =>
  commandsOf(page, path)
    .map(({ text }) => text.replaceAll('\\\n', ' '))
    .join('')
const names = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, name = '']) => name).sort()

const installed = names(textOf(KIND), /repository="\$\{IMAGES\}([\w-]+)"/g)

test('kind: the images that are built are loaded, and are those of the installation', () => {
  const text = textOf(KIND)
  assert.deepEqual(names(text, /^docker build .*--tag ([\w-]+):/gm), installed)
  const [load = ''] = text.match(/^kind load docker-image .*$/m) ?? []
  assert.deepEqual(names(load, / ([\w-]+):[\d.]+/g), installed)
  // From the node's own store: a name without a registry.
  assert.match(text, /^export IMAGES=$/m)
  const [create, remove] = ['create', 'delete'].map((verb) =>
    names(text, new RegExp(`^kind ${verb} cluster --name (\\S+)$`, 'gm')),
  )
  assert.deepEqual(create, remove)
  assert.deepEqual(names(load, /--name (\S+)/g), create)
})

test('one node: the images that are built are pushed and removed, and are those of the installation', () => {
  const text = textOf(ONE_NODE)
  assert.deepEqual(names(text, /^buildah build .*--tag ([\w-]+):/gm), installed)
  const loops = [...text.matchAll(/^for image in (.*); do$/gm)].map(([, list = '']) => list.split(' ').sort())
  assert.deepEqual(loops, [installed, installed])
  assert.deepEqual(names(text.match(/^buildah rmi .*$/m)?.[0] ?? '', / ([\w-]+):[\d.]+/g), installed)
})

test('no path has a command of the other', () => {
  assert.doesNotMatch(textOf(ONE_NODE), /^(?:kind|docker) /m)
  assert.doesNotMatch(textOf(KIND), /buildah|npm run cluster|^exit$/m)
})

test('a page without the section is refused, and so is a call without a certificate to leave out', () => {
  assert.throws(() => commandsOf(page.replace('## A cluster: kind', '## Another'), KIND), /A cluster: kind/)
  assert.throws(() => withoutCertificate({ section: '', text: 'curl https://localhost\n' }), /--cert/)
  const call = 'curl --cert a --key b \\\n  https://localhost:8443/mcp\n'
  assert.throws(() => withoutCertificate({ section: '', text: call }), /port-forward/)
  const { text } = withoutCertificate({
    section: '',
    text: `kubectl port-forward service/x 8443:443 &\n${call}`,
  })
  assert.equal(
    text,
    'kubectl port-forward service/x 8444:443 &\ncurl https://localhost:8444/mcp\nkill %2 || true\n',
  )
})

const session = (...texts: readonly string[]): Promise<Session> =>
  typeInto(
    texts.map((text): Block => ({ section: '', text: `${text}\n` })),
    { cwd: '/', env: { PATH: process.env['PATH'] }, signal: new AbortController().signal },
  )

test('what is typed after a shell was started goes to it, until its exit', async () => {
  const { typed, failed } = await session('x=outer; bash', 'echo "in: $x"', 'exit\necho "out: $x"')
  assert.equal(failed, undefined)
  assert.deepEqual(
    typed.slice(1).map(({ output }) => output.trim()),
    ['in:', 'out: outer'],
  )
})

test('a command that fails ends the shell, its own or the one within, and nothing more is typed', async () => {
  for (const list of [
    ['true', 'echo why >&2; false', 'echo never'],
    ['bash', 'echo why >&2; false', 'echo never'],
    ['sleep 600 & true', 'echo why >&2; false', 'echo never'],
  ]) {
    const { typed, failed } = await session(...list)
    assert.equal(typed.length, 1)
    assert.match(failed ?? '', /why/)
    assert.doesNotMatch(failed ?? '', /never/)
  }
})
