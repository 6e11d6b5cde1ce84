// Storage: definitions and files held in memory, by product, environment and storage tag (contract 10.7).

import { definitions } from '../collection.ts'
import { failed, malformed, notFound, overLimit } from '../refusal.ts'
import { CAPS, type Call, type Handlers, locate, store } from '../state.ts'
import {
  asObject,
  isObject,
  iso,
  type Json,
  type JsonObject,
  optionalNumber,
  optionalText,
  pick,
  text,
  wholeNumber,
} from '../values.ts'
import { dispatch } from './dispatch.ts'

export interface File {
  bytes: Buffer
  mimeType: string
  modified: number
}
export type Bucket = Map<string, File>

const own = definitions({ kind: 'storage', what: 'storage' })

export const buckets = (call: Pick<Call, 'workspace'>) => store<Bucket>(call.workspace, 'files')

function at(call: Call, args: Json[]) {
  const data = asObject(args[0], 'data')
  const { key, tag, env } = locate(call, data, 'storage', 'storage', 'storage', 'storage_tag')
  let bucket = buckets(call).get(key)
  if (bucket === undefined) {
    bucket = new Map()
    buckets(call).set(key, bucket)
  }
  return { data, bucket, base: `https://storage.example/${tag}/${env}` }
}

const urlOf = (base: string, name: string): string => `${base}/${name.split('/').map(safe).join('/')}`
// A lone surrogate has no percent-encoding and would throw.
const safe = (part: string): string => encodeURIComponent(part.toWellFormed())

function nameOf(data: JsonObject): string {
  const name = text(data, 'fileName')
  if (name.length > 1024) throw malformed('fileName has at most 1024 characters')
  return name
}

// Base64 as the web console sends it, Node's JSON form of a Buffer, or else plain text.
function bytesOf(value: Json | undefined): Buffer {
  if (isObject(value) && Array.isArray(value['data'])) {
    const { data } = value
    if (!data.every((byte) => typeof byte === 'number' && byte >= 0 && byte <= 255))
      throw malformed('buffer has bad bytes')
    return Buffer.from(data as number[])
  }
  if (typeof value !== 'string') throw malformed('buffer must be text or base64')
  const bytes = Buffer.from(value, 'base64')
  return value !== '' && bytes.toString('base64') === value ? bytes : Buffer.from(value)
}

function fileOf(bucket: Bucket, name: string): File {
  const file = bucket.get(name)
  if (file === undefined) throw notFound('file')
  return file
}

function upload(call: Call, args: Json[]) {
  const { data, bucket, base } = at(call, args)
  const fileName = nameOf(data)
  const bytes = bytesOf(pick(data, ['buffer']))
  if (bytes.length > CAPS.fileBytes) throw overLimit(`a file has at most ${CAPS.fileBytes} bytes`)
  if (!bucket.has(fileName) && bucket.size >= CAPS.files)
    throw overLimit(`a storage has at most ${CAPS.files} files`)
  let held = bytes.length
  for (const files of buckets(call).values()) for (const file of files.values()) held += file.bytes.length
  if (held > CAPS.storageBytes) throw overLimit(`a workspace stores at most ${CAPS.storageBytes} bytes`)
  const mimeType = optionalText(data, 'mimeType') ?? 'application/octet-stream'
  bucket.set(fileName, { bytes, mimeType, modified: call.now() })
  return { success: true, url: urlOf(base, fileName), fileName, mimeType }
}

const TYPES: [name: string, pattern: RegExp][] = [
  ['image', /^image\//],
  ['video', /^video\//],
  ['audio', /^audio\//],
  ['archive', /^application\/(zip|gzip|x-tar|x-7z-compressed)$/],
  ['document', /^(text\/|application\/(pdf|json|msword|vnd\.))/],
]
const typeOf = (mime: string): string => TYPES.find(([, pattern]) => pattern.test(mime))?.[0] ?? 'other'

function sorted(bucket: Bucket, data: JsonObject): [string, File][] {
  const prefix = typeof data['prefix'] === 'string' ? data['prefix'] : ''
  const type = optionalText(data, 'fileType')
  return [...bucket]
    .filter(
      ([name, file]) => name.startsWith(prefix) && (type === undefined || typeOf(file.mimeType) === type),
    )
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

function listFiles(call: Call, args: Json[]) {
  const { data, bucket, base } = at(call, args)
  const limit = Math.max(1, wholeNumber(data, 'limit', 100, 1000))
  const token = optionalText(data, 'continuationToken')
  const after = token === undefined ? undefined : Buffer.from(token, 'base64url').toString()
  if (token !== undefined && Buffer.from(after ?? '').toString('base64url') !== token) {
    throw failed('STORAGE_ERROR', 'the continuation token is not valid')
  }
  const all = sorted(bucket, data).filter(([name]) => after === undefined || name > after)
  const page = all.slice(0, limit)
  const hasMore = all.length > limit
  const last = page.at(-1)?.[0]
  return {
    success: true,
    files: page.map(([name, { bytes, mimeType, modified }]) => ({
      name,
      size: bytes.length,
      lastModified: iso(modified),
      url: urlOf(base, name),
      mimeType,
    })),
    limit,
    ...(hasMore && last !== undefined ? { nextToken: Buffer.from(last).toString('base64url') } : {}),
    hasMore,
  }
}

function stats(call: Call, args: Json[]) {
  const { data, bucket } = at(call, args)
  const byType = new Map(
    [...TYPES.map(([name]) => name), 'other'].map((name) => [name, { count: 0, size: 0 }]),
  )
  const files = sorted(bucket, data)
  for (const [, { bytes, mimeType }] of files) {
    const entry = byType.get(typeOf(mimeType))
    if (entry === undefined) continue
    entry.count += 1
    entry.size += bytes.length
  }
  const totalSize = files.reduce((sum, [, { bytes }]) => sum + bytes.length, 0)
  return { success: true, totalFiles: files.length, totalSize, byType: Object.fromEntries(byType) }
}

export const handlers: Handlers = {
  ...own,
  upload,
  download(call, args) {
    const { data, bucket } = at(call, args)
    const fileName = nameOf(data)
    const { bytes, mimeType } = fileOf(bucket, fileName)
    return { success: true, data: bytes.toString('base64'), fileName, size: bytes.length, mimeType }
  },
  remove(call, args) {
    const { data, bucket } = at(call, args)
    const fileName = nameOf(data)
    fileOf(bucket, fileName)
    bucket.delete(fileName)
    return { success: true, fileName }
  },
  listFiles,
  getSignedUrl(call, args) {
    const { data, bucket, base } = at(call, args)
    const fileName = nameOf(data)
    const action = optionalText(data, 'action') ?? 'read'
    if (action !== 'read' && action !== 'write') throw malformed('action must be read or write')
    const seconds = optionalNumber(data, 'expiresIn') ?? 3600
    if (!(seconds > 0 && seconds <= 604_800)) throw malformed('expiresIn must be 1 to 604800 seconds')
    if (action === 'read') fileOf(bucket, fileName)
    const expires = call.now() + seconds * 1000
    const query = `action=${action}&expires=${Math.floor(expires / 1000)}&signature=${call.random(16).toString('hex')}`
    return { url: `${urlOf(base, fileName)}?${query}`, expiresAt: iso(expires), action }
  },
  stats,
  testConnection(call, args) {
    at(call, args)
    return { connected: true, latency: 0 }
  },
  dispatch: dispatch('storage', 'storage', 'storage', 'storage_tag'),
}
