// Parts with one check missing each: what the runs of world.ts have to find.
import { createDigests } from '../../../src/audit/digests.ts'
import type { Call } from '../../../src/core/call.ts'
import type { Fleet } from '../../../src/core/fleet.ts'
import { APPROVE_SCOPE } from '../../../src/core/principal.ts'
import type { PreparedCall } from '../../../src/core/tool.ts'
import { PEOPLE_CLIENT } from './callers.ts'
import { FLEET, type Mutant } from './world.ts'

/** The digest of the call with something of it left out. */
const digestWithout = (left: (call: Call) => Partial<Call>): Mutant => {
  const real = createDigests({ fleet: FLEET, random: (size) => Buffer.alloc(size) }).request
  return {
    options: (options) => ({
      ...options,
      digest(call) {
        const other = { ...call, ...left(call) }
        real(other)
        call.requestDigest = other.requestDigest
      },
    }),
  }
}

/** Names of store entries made of a changed text. */
const namesWith = (change: (text: string) => string): Mutant => ({
  options: (options) => ({
    ...options,
    fleet: { ...FLEET, mac: (use, text) => FLEET.mac(use, change(text)) } satisfies Fleet,
  }),
})

export const MUTANTS: Readonly<Record<string, { mutant: Mutant; finds: RegExp }>> = {
  'the use does not compare before it deletes': {
    finds: /used twice/,
    mutant: {
      store: (store) => ({
        ...store,
        compareAndSwap: async (key, expected, next, ttl) =>
          next === undefined
            ? (await store.take(key)) !== 'never'
            : store.compareAndSwap(key, expected, next, ttl),
      }),
    },
  },
  'the digest leaves out the arguments': {
    finds: /was given the approval of/,
    mutant: digestWithout(({ prepared }) => ({ prepared: { ...(prepared as PreparedCall), arguments: {} } })),
  },
  'the digest leaves out the workspace key': {
    finds: /key \d rule \d was given the approval of/,
    mutant: digestWithout(() => ({ credentialId: undefined })),
  },
  'the place does not name the caller': {
    finds: /was given the approval of/,
    mutant: namesWith((text) => text.replaceAll(/"(?:oauth|api-key):[^"]*"/g, '"anybody"')),
  },
  'the place does not name the rule': {
    finds: /was given the approval of/,
    mutant: namesWith((text) => text.replaceAll('"rule-1"', '"rule-0"')),
  },
  'the card does not name the tenant': {
    finds: /another tenant learns of an approval|carol has approved/,
    mutant: namesWith((text) => text.replaceAll('"umbra"', '"acme"')),
  },
  'the requester is not compared': {
    finds: /has approved a call of (?:sent|key)/,
    mutant: { approver: (approver) => ({ ...approver, id: `not ${approver.id}`, subject: 'somebody' }) },
  },
  'everybody is a person': {
    finds: /(?:robot|elsewhere|delegate|unscoped) has approved/,
    mutant: {
      approver: (approver) => ({
        ...approver,
        scopes: [APPROVE_SCOPE],
        client: PEOPLE_CLIENT,
        actors: [],
        subject: approver.subject === PEOPLE_CLIENT ? 'somebody' : approver.subject,
      }),
    },
  },
  'nothing expires': {
    finds: /used after its end/,
    mutant: {
      store: (store) => ({
        ...store,
        setIfAbsent: (key, value) => store.setIfAbsent(key, value, 1e9),
        compareAndSwap: (key, expected, next) => store.compareAndSwap(key, expected, next, 1e9),
      }),
      options: (options) => ({ ...options, now: () => 1_000_000 }),
    },
  },
  'what is sealed is not bound to its place': {
    finds: /was given the approval of/,
    mutant: {
      options: (options) => ({
        ...options,
        fleet: {
          ...FLEET,
          seal: (text) => FLEET.seal(text, 'anywhere'),
          open: (value) => FLEET.open(value, 'anywhere'),
        } satisfies Fleet,
      }),
    },
  },
}
