// Makes the digests of a call: a keyed one that is equal for equal requests, and salted ones for later disclosure (docs/reference/evidence.md).
import { createHash, hash } from 'node:crypto'
import type { Call } from '../core/call.ts'
import { canonical, canonicalArguments } from '../core/canonical.ts'
import type { Fleet } from '../core/fleet.ts'
import type { Json } from '../core/json.ts'
import type { ContentBlock, ToolDefinition, ToolResult } from '../core/tool.ts'

export interface DigestPorts {
  fleet: Pick<Fleet, 'mac'>
  /** So many random bytes. */
  random(size: number): Buffer
}

export interface Digests {
  /** Fills in requestDigest, argsDigest and argsSalt, once for each call, whoever asks first. A call whose arguments were refused has none. */
  request(call: Call): void
  /** Fills in resultDigest. `delivered`: the JSON text of the content over MCP, the body over REST. */
  result(call: Call, delivered: string): void
  /** Fills in resultDigestRaw with the digest of a result as it was before credentials were replaced in it. */
  raw(call: Call, result: ToolResult): void
  /** What a record shows in place of an idempotency key: equal for equal keys. */
  idempotencyKey(key: string): string
}

export function createDigests({ fleet, random }: DigestPorts): Digests {
  const newSalt = prepareSalts(random)

  return {
    request(call) {
      const { tool, prepared, principal } = call
      if (tool === undefined || prepared === undefined || call.requestDigest !== undefined) return
      const args = canonicalArguments(prepared)
      const { tenant } = principal
      call.requestDigest = fleet.mac(
        'request-digest',
        `{"arguments":${args}` +
          (call.credentialId === undefined ? '' : `,"credentialId":"${call.credentialId}"`) +
          (tenant === undefined ? '' : `,"tenant":${JSON.stringify(tenant)}`) +
          `,"tool":"${tool.declaration.name}"}`,
      )
      call.argsSalt = newSalt()
      call.argsDigest = salted(call.argsSalt, args)
    },
    result(call, delivered) {
      call.resultSalt ??= newSalt()
      call.resultDigest = salted(
        call.resultSalt,
        call.surface === 'rest' ? delivered : canonicalContent(call, delivered),
      )
    },
    raw(call, result) {
      call.resultSalt ??= newSalt()
      call.resultDigestRaw = salted(
        call.resultSalt,
        call.surface === 'rest'
          ? (result.written?.value() ?? JSON.stringify(result.value))
          : result.written === undefined
            ? canonical(result.content as unknown as Json)
            : loneBlock(result.written.content),
      )
    },
    // Its own member name keeps it apart from the digests of requests.
    idempotencyKey: (key) => fleet.mac('request-digest', `{"idempotencyKey":${JSON.stringify(key)}}`),
  }
}

/** SHA-256 of what tools/list says of a tool, made once. */
export function toolDigest(tool: ToolDefinition): string {
  let digest = toolDigests.get(tool)
  if (digest === undefined) {
    digest = hash('sha256', canonical(tool.declaration as unknown as Json), 'base64url')
    toolDigests.set(tool, digest)
  }
  return digest
}

const toolDigests = new WeakMap<ToolDefinition, string>()

const SALT = 16
/** Salts that one request for random bytes gives. */
const SALTS = 256

/** Salts, base64url. */
function prepareSalts(random: (size: number) => Buffer): () => string {
  let pool: Buffer = Buffer.alloc(0)
  let at = 0
  return () => {
    if (at === pool.length) {
      pool = random(SALT * SALTS)
      at = 0
    }
    const salt = pool.toString('base64url', at, at + SALT)
    // Erasing a salt erases the link from a digest to what it was made of, so none is left here.
    pool.fill(0, at, at + SALT)
    at += SALT
    return salt
  }
}

/** A text of this length fits, whatever its characters are. */
const SHORT = 8192
const scratch = Buffer.allocUnsafeSlow(SALT + SHORT * 3)

/** Base64url of SHA-256 over the salt's bytes and the text. */
function salted(salt: string, text: string): string {
  if (text.length > SHORT)
    return createHash('sha256').update(Buffer.from(salt, 'base64url')).update(text).digest('base64url')
  scratch.write(salt, 0, 'base64url')
  const end = SALT + scratch.write(text, SALT)
  const digest = hash('sha256', scratch.subarray(0, end), 'base64url')
  // Nothing of a call outlives it.
  scratch.fill(0, 0, end)
  return digest
}

const TYPE_FIRST = '[{"type":"text","text":'

/** Content is written with `type` first, for the eye; one block of text is put in order without reading it. */
function canonicalContent(call: Call, content: string): string {
  const isLone =
    call.denial !== undefined || call.result?.written !== undefined || isText(call.result?.content)
  return isLone && content.startsWith(TYPE_FIRST)
    ? loneBlock(content)
    : canonical(JSON.parse(content) as Json)
}

const loneBlock = (content: string): string =>
  `[{"text":${content.slice(TYPE_FIRST.length, -2)},"type":"text"}]`

function isText(content: readonly ContentBlock[] | undefined): boolean {
  const block = content?.[0]
  return content?.length === 1 && block?.type === 'text' && Object.keys(block).length === 2
}
