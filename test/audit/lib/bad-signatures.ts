// Chains whose records are right and whose signatures, or what they sign, are not.
import { ChainBuilder, jwks, jws, START, sha256, uuid7 } from './builder.ts'
import { bootChain, closedChain, rotated } from './good.ts'
import { bad, FOREIGN_KEY, KEY, KEYS, linesFile, NEXT_KEY, type Vector, withMore } from './vector.ts'

/** A chain whose fifth record is a checkpoint with this JWS. */
function signed(make: (chain: ChainBuilder) => string): string[] {
  const chain = new ChainBuilder()
  chain.call()
  chain.checkpoint(make(chain))
  return chain.lines
}

const payloadOf = (chain: ChainBuilder): object =>
  JSON.parse(Buffer.from(chain.checkpointJws().split('.')[1] as string, 'base64url').toString())

const encoded = (text: string): string => Buffer.from(text).toString('base64url')

/** The JWS with one of its parts replaced. */
function withPart(chain: ChainBuilder, part: number, change: (text: string) => string): string {
  const parts = chain.checkpointJws().split('.')
  parts[part] = change(parts[part] as string)
  return parts.join('.')
}

/** Replaces the last character, whose four low bits an Ed25519 signature leaves unused. */
const spareBits = (text: string): string => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1) as string) + 1]
}

const forms: [name: string, make: (chain: ChainBuilder) => string][] = [
  [
    'a signature of something else',
    (chain) => withPart(chain, 2, () => closedChain().witness[0]?.split('.')[2] as string),
  ],
  ['a signature with spare bits', (chain) => withPart(chain, 2, spareBits)],
  ['a signature with padding', (chain) => withPart(chain, 2, (text) => `${text}==`)],
  ['a signature in the other alphabet', (chain) => withPart(chain, 2, (text) => `+/${text.slice(2)}`)],
  ['a signature that is too short', (chain) => withPart(chain, 2, (text) => text.slice(0, -4))],
  [
    'a header with a space',
    (chain) =>
      withPart(chain, 0, () => encoded(`{"alg":"EdDSA", "kid":"${KEY.kid}","typ":"ductape-checkpoint+jwt"}`)),
  ],
  [
    'a header with one more member',
    (chain) => jws('ductape-checkpoint+jwt', payloadOf(chain), KEY, { crit: [] }),
  ],
  ['another algorithm', (chain) => jws('ductape-checkpoint+jwt', payloadOf(chain), KEY, { alg: 'none' })],
  ['the typ of a receipt', (chain) => chain.checkpointJws({}, KEY, 'ductape-receipt+jwt')],
  ['a payload with one more member', (chain) => chain.checkpointJws({ note: 1 })],
  [
    'a payload without iat',
    (chain) => jws('ductape-checkpoint+jwt', { chain: chain.id, root: 'A'.repeat(43), size: 4 }, KEY),
  ],
  [
    'a payload that is not canonical',
    (chain) => withPart(chain, 1, (text) => encoded(` ${Buffer.from(text, 'base64url')}`)),
  ],
  ['four parts', (chain) => `${chain.checkpointJws()}.`],
  ['no signature', (chain) => withPart(chain, 2, () => '')],
]

function rotations(): Vector[] {
  const chainOf = (build: (chain: ChainBuilder) => void): string[] => {
    const chain = new ChainBuilder()
    build(chain)
    return chain.lines
  }
  const afterwards = rotated()
  const late = chainOf((chain) => {
    chain.rotate(NEXT_KEY)
    chain.checkpoint(chain.checkpointJws({}, KEY))
  })
  return [
    bad(
      'a key record signed by the new key',
      'key_unknown',
      chainOf((chain) => chain.rotate(NEXT_KEY, NEXT_KEY)),
      3,
    ),
    bad(
      'a key record signed by a foreign key',
      'key_unknown',
      chainOf((chain) => chain.rotate(FOREIGN_KEY, FOREIGN_KEY)),
      3,
    ),
    bad(
      'a key record about another chain',
      'checkpoint_claims',
      chainOf((chain) => chain.rotate(NEXT_KEY, KEY, { chain: uuid7(START, 9) })),
      3,
    ),
    bad(
      'a key record about another key',
      'checkpoint_claims',
      chainOf((chain) => chain.rotate(NEXT_KEY, KEY, { jwk: FOREIGN_KEY.jwk })),
      3,
    ),
    bad('a checkpoint by a key that was replaced', 'key_time', late, 4),
    bad('a replaced key that had ended', 'key_time', afterwards.lines, 2, {
      keys: jwks(withMore(KEY, { exp: START / 1000 - 60 }), NEXT_KEY),
    }),
    bad(
      'a key that does not begin until later',
      'key_time',
      afterwards.lines,
      afterwards.lines.findIndex((line) => line.includes('"type":"key"')) + 2,
      {
        keys: jwks(KEY, withMore(NEXT_KEY, { nbf: START / 1000 + 3600 })),
      },
    ),
  ]
}

export function badSignatureVectors(): Vector[] {
  const foreign = new ChainBuilder({ key: FOREIGN_KEY })
  const boot = bootChain()
  const pretended = new ChainBuilder({ key: FOREIGN_KEY, origin: 'boot' })
  return [
    ...forms.map(([name, make]) => bad(`a checkpoint with ${name}`, 'signature_bad', signed(make), 5)),
    bad(
      'a checkpoint of another root',
      'checkpoint_root',
      signed((chain) => chain.checkpointJws({ root: sha256('x').toString('base64url') })),
      5,
    ),
    bad(
      'a checkpoint of another size',
      'checkpoint_claims',
      signed((chain) => chain.checkpointJws({ size: 3 })),
      5,
    ),
    bad(
      'a checkpoint of another chain',
      'checkpoint_claims',
      signed((chain) => chain.checkpointJws({ chain: uuid7(START, 9) })),
      5,
    ),
    bad(
      'a checkpoint of another time than its record',
      'checkpoint_claims',
      signed((chain) => chain.checkpointJws({ iat: START / 1000 + 6 })),
      5,
    ),
    bad(
      'an older checkpoint again',
      'checkpoint_claims',
      signed((chain) => chain.witness[0] as string),
      5,
    ),
    bad('a chain of a foreign key', 'key_unknown', foreign.lines, 2),
    bad(
      'a checkpoint by another key of the set',
      'key_unknown',
      signed((chain) => chain.checkpointJws({}, NEXT_KEY)),
      5,
    ),
    bad(
      'a checkpoint by a foreign key',
      'key_unknown',
      signed((chain) => chain.checkpointJws({}, FOREIGN_KEY)),
      5,
    ),
    bad('a key made at boot, not accepted', 'self_asserted', boot.lines, 2, { keys: jwks() }),
    bad('a key of the set that was made at boot', 'self_asserted', closedChain().lines, 2, {
      keys: jwks(withMore(KEY, { 'ductape-origin': 'boot' })),
    }),
    bad('a foreign key that says it was made at boot', 'self_asserted', pretended.lines, 2),
    bad('a key from a file, with --self-asserted', 'key_unknown', foreign.lines, 2, { selfAsserted: true }),
    {
      ...bad('a witness of a foreign key', 'key_unknown', [], undefined),
      files: [linesFile(closedChain().lines)],
      keys: KEYS,
      witness: `${foreign.witness[0]}\n`,
      expect: { code: 'key_unknown', file: 'witness', line: 1 },
    },
    {
      ...bad('a witness line that is no JWS', 'signature_bad', [], undefined),
      files: [linesFile(closedChain().lines)],
      witness: `${closedChain().witness[0]}\nnothing\n`,
      expect: { code: 'signature_bad', file: 'witness', line: 2 },
    },
    ...rotations(),
  ]
}
