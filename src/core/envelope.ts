// Reads the usual answer of the backend in one pass over its bytes: {"status":true,"data":{"data":VALUE,...}} to VALUE as indented text, digits kept.
// It takes compact JSON without escapes only; for anything else it answers undefined, and the caller parses (parseLossless).

export interface PlainEnvelope {
  /** VALUE indented by 2, as it stands inside a JSON string: quotes and line feeds escaped. */
  escapedText: string
  /** VALUE as the backend wrote it. */
  json(): string
  requestId: string | undefined
}

/** Deeper answers are parsed. */
const MAX_DEPTH = 64

/** A longer answer is parsed. */
const MAX_BYTES = 4 * 1024 * 1024

/** Scratch memory that is kept between answers; what a large one needed more is given back. */
const KEPT_BYTES = 256 * 1024

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const LETTER_N = 0x6e

// One set of cursor variables: the reader is synchronous and allocates nothing but the text.
let body: Buffer = Buffer.alloc(0)
let at = 0
let depth = 0
let ascii = true
let scratch = Buffer.alloc(16 * 1024)
let written = 0
/** Most that was ever written for this body: what has to be wiped. */
let dirty = 0

const NOT_PLAIN = Symbol('not plain')

function give(): never {
  throw NOT_PLAIN
}

/** The parts of a plain envelope whose status is true and whose inner data is there; undefined where the body is anything else. */
export function readPlainEnvelope(source: Buffer): PlainEnvelope | undefined {
  if (source.length > MAX_BYTES) return undefined
  body = source
  at = 0
  depth = 0
  ascii = true
  written = 0
  dirty = 0
  reserve()
  try {
    return readEnvelope()
  } catch (error) {
    if (error === NOT_PLAIN) return undefined
    throw error
  } finally {
    // Nothing of an answer outlives its call.
    if (scratch.length > KEPT_BYTES) scratch = Buffer.alloc(16 * 1024)
    else scratch.fill(0, 0, Math.max(dirty, written))
    body = scratch
  }
}

function readEnvelope(): PlainEnvelope | undefined {
  let status = false
  let found: PlainEnvelope | undefined
  expect(0x7b)
  for (;;) {
    readName()
    if (named(DATA)) found = found === undefined ? readData() : give()
    else {
      if (named(STATUS)) status = body[at] === 0x74
      skipValue()
    }
    if (body[at] === 0x7d) break
    expect(COMMA)
  }
  return status && at + 1 === body.length ? found : undefined
}

function readData(): PlainEnvelope {
  const source = body
  let found: PlainEnvelope | undefined
  let requestId: string | undefined
  expect(0x7b)
  for (;;) {
    readName()
    const from = at
    if (named(DATA)) {
      const start = written
      writeValue()
      const to = at
      const escapedText = ascii
        ? scratch.toString('latin1', start, written)
        : scratch.toString('utf8', start, written)
      found =
        found === undefined
          ? { escapedText, json: () => source.toString('utf8', from, to), requestId: undefined }
          : give()
    } else {
      const isId = named(REQUEST_ID) && source[from] === QUOTE
      skipValue()
      if (isId) requestId = source.toString('utf8', from + 1, at - 1)
    }
    if (body[at] === 0x7d) break
    expect(COMMA)
  }
  at++
  if (found === undefined) return give()
  found.requestId = requestId
  return found
}

function expect(byte: number): void {
  if (body[at] !== byte) give()
  at++
}

/** Reads a member name; its place is left in nameFrom and nameTo. */
function readName(): void {
  if (body[at] !== QUOTE) give()
  nameFrom = at + 1
  skipValue()
  nameTo = at - 1
  expect(COLON)
}

let nameFrom = 0
let nameTo = 0

function named(name: Buffer): boolean {
  if (nameTo - nameFrom !== name.length) return false
  for (let i = 0; i < name.length; i++) if (body[nameFrom + i] !== name[i]) return false
  return true
}

const DATA = Buffer.from('data')
const STATUS = Buffer.from('status')
const REQUEST_ID = Buffer.from('request_id')

/** Reads a value and drops what was written of it. */
function skipValue(): void {
  const start = written
  writeValue()
  if (written > dirty) dirty = written
  written = start
}

function writeValue(): void {
  const byte = body[at] as number
  if (byte === QUOTE) writeString()
  else if (byte === 0x7b) writeContainer(0x7b, 0x7d)
  else if (byte === 0x5b) writeContainer(0x5b, 0x5d)
  else if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) writeNumber()
  else if (byte === 0x74) writeWord(TRUE)
  else if (byte === 0x66) writeWord(FALSE)
  else if (byte === 0x6e) writeWord(NULL)
  else give()
}

/**
 * Makes room for a line break and for whatever the rest of the body can become: outside of line breaks no byte of the body becomes more than two.
 * So only line breaks have to ask.
 */
function reserve(): void {
  const needed = written + 2 * (depth + 1) + 2 * (body.length - at) + 8
  if (needed <= scratch.length) return
  const larger = Buffer.alloc(Math.max(scratch.length * 2, needed))
  scratch.copy(larger, 0, 0, written)
  scratch.fill(0, 0, Math.max(dirty, written))
  scratch = larger
}

// Local variables: in this loop, the cursor variables of the module would be read and stored once a byte.
function writeString(): void {
  const from = body
  const to = scratch
  let i = at + 1
  let w = written
  to[w++] = BACKSLASH
  to[w++] = QUOTE
  let byte = from[i] as number
  while (byte !== QUOTE) {
    // The end of the body is undefined, which is not above a space either.
    if (!(byte >= 0x20) || byte === BACKSLASH) give()
    if (byte >= 0x80) ascii = false
    to[w++] = byte
    byte = from[++i] as number
  }
  to[w++] = BACKSLASH
  to[w++] = QUOTE
  written = w
  at = i + 1
}

const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')
const NULL = Buffer.from('null')

function writeWord(word: Buffer): void {
  for (const byte of word) {
    if (body[at++] !== byte) give()
    scratch[written++] = byte
  }
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39

function skipDigits(): void {
  if (!isDigit(body[at])) give()
  while (isDigit(body[at])) at++
}

// The grammar of RFC 8259 section 6.
function writeNumber(): void {
  const start = at
  if (body[at] === 0x2d) at++
  if (body[at] === 0x30) at++
  else skipDigits()
  if (body[at] === 0x2e) {
    at++
    skipDigits()
  }
  if (body[at] === 0x65 || body[at] === 0x45) {
    at++
    if (body[at] === 0x2b || body[at] === 0x2d) at++
    skipDigits()
  }
  for (let i = start; i < at; i++) scratch[written++] = body[i] as number
}

function writeLineBreak(): void {
  reserve()
  const to = scratch
  let w = written
  to[w++] = BACKSLASH
  to[w++] = LETTER_N
  for (let i = depth * 2; i > 0; i--) to[w++] = 0x20
  written = w
}

function writeContainer(open: number, close: number): void {
  at++
  scratch[written++] = open
  if (body[at] === close) {
    at++
    scratch[written++] = close
    return
  }
  if (++depth > MAX_DEPTH) give()
  for (;;) {
    writeLineBreak()
    if (close === 0x7d) writeMemberName()
    writeValue()
    const byte = body[at++]
    if (byte === close) break
    if (byte !== COMMA) give()
    scratch[written++] = COMMA
  }
  depth--
  writeLineBreak()
  scratch[written++] = close
}

function writeMemberName(): void {
  if (body[at] !== QUOTE) give()
  writeString()
  expect(COLON)
  scratch[written++] = COLON
  scratch[written++] = 0x20
}
