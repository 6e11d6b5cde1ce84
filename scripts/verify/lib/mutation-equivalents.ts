// Checks that can be left out without a test noticing, each with the reason why none can: it saves time, or something else holds as well.

const SPEED = 'saves time only: what is computed without it is the same'
const WORDS = 'chooses words of a description'
const NARROW = 'for the type checker: what follows refuses the same'

/** File to what is left out, as the run prints it, to the reason. */
export const EQUIVALENTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'src/admission/policy/cel-check.ts': {
    "OPERATORS.has(node.op) : problem(node, 'this operator is not part of conditions')":
      'the library, in its pinned version, parses no other operator; it is here for the next one',
    '|| value < -MAX_INT': 'the parser makes a minus an operator, so no literal is negative',
    "node.op === '.' &&":
      'a chain that ends in .? begins no chain of dots, so pathOf finds nothing to ask for',
    '&& !inChain': 'a part of a chain misses the same first name as the chain, and a warning is kept once',
    "object.op === 'id' : undefined":
      'only a name and a text have text for args, and the library refuses a field of a text',
    "asked.op === '.' : undefined": 'the library refuses has() of anything but a field',
    "variable?.op !== 'id' ||": 'the library makes no loop of a macro without a variable',
    'if (path === undefined)': 'a path that is undefined is asked for by nothing and warned of by nothing',
  },
  'src/admission/policy/cel-meter.ts': {
    'if (Array.isArray(value))': 'Object.values of a list are its elements',
    'if (inner === undefined)': 'nodes without a handle have no price either',
    'if (inner === undefined) (2)': 'an invariant of the library: a comprehension has a handle',
    'if (Array.isArray(items))': 'a list has as many keys as elements',
    'isContainer(items) : 0':
      'a loop over a number has no keys to count; over a text it is an error of the library',
  },
  'src/admission/policy/cel-tree.ts': {
    "&& 'op' in value": 'what has args has an op',
    "&& 'args' in value": 'what has an op has args',
  },
  'src/admission/policy/cel.ts': {
    "typeof result === 'boolean' : 'error'": 'the type check has made sure of it; a second lock',
  },
  'src/admission/policy/cell.ts': {
    'hasTargets &&': SPEED,
    '&& !settled': SPEED,
    'certain < 0 : all.slice(0, certain + 1)': SPEED,
    '[...denies, ...allows].some(isOpen) : fixedDecision(denies, allows, relaxed)': SPEED,
    'settled ? 0': SPEED,
    '.filter(({ hasTargets }) => hasTargets)': SPEED,
    'targets > MANY : undefined': SPEED,
    '|| isHard(deny)': SPEED,
    'relaxed === undefined || isHard(deny) ? deny.refused': SPEED,
    'hasTargets && (2)': SPEED,
    '&& !settled (2)': SPEED,
    'if (!hasRest)': SPEED,
    "target !== 'unknown' &&": SPEED,
    "target !== 'unknown' && (2)": 'the word has fewer characters than the bound',
    '!hasTargets ||': SPEED,
  },
  'src/admission/policy/compile.ts': {
    'if (left === undefined)':
      'no comparison with undefined is true, so nothing is refused and nothing warned of',
    'if (until === undefined)': 'no comparison with NaN is true, so nothing is observed',
  },
  'src/admission/policy/config.ts': {
    '.min(1)': 'the form of the text wants a character as well',
    '.min(1) (3)': 'an empty condition does not compile',
    '.max(4096)': 'a longer condition does not compile',
    '.max(128)': 'isRoleName refuses a longer name',
  },
  'src/admission/policy/grant.ts': {
    'principal.roles.length === 1 &&': SPEED,
    '&& names.length === 1': SPEED,
    'if (principal.roles.length === 1 && names.length === 1 && principal.tools === undefined)': SPEED,
    'principal.roles.length === 1 && principal.tools === undefined ? memo.byRole.get(principal.roles[0] as string)':
      SPEED,
    "found === 'narrowed' : refine(found, question, count)": SPEED,
    "found === 'narrowed' ? found": 'a text has no refined cells, so it comes back as it is',
    'grant.usable.get(tool) ??': SPEED,
  },
  'src/admission/policy/lint.ts': {
    'other === rule ||': 'a rule does not stand before itself, which is asked below',
    '&& rule.role === other.role':
      'rules without a role stand first, so the later one of two equal ones is named either way',
    'if (inner.entry === undefined)':
      'a role has rules of one form only, and a list of tools covers no rule without a role',
    '&& coversTools(tool, inner.tool)': 'the same',
  },
  'src/admission/policy/local.ts': { 'if (!compiled.ok)': 'the built-in policy compiles' },
  'src/admission/policy/pattern.ts': {
    ".filter((source) => !source.includes('*'))":
      'a pattern matches itself, so that it does no harm among the literals',
    ".filter((source) => source.includes('*'))":
      'a pattern of one piece would have to be twice as long as itself',
  },
  'src/admission/policy/rule.ts': { "sense === 'allow' ? 'deny'": 'only deny rules spare something' },
  'src/identity/apikey/index.ts': {
    'a.length === b.length &&':
      'both are SHA-256 in hex, as the file is checked; without it a longer one would throw',
  },
  'src/identity/dpop/index.ts': {
    'name.length !== 4 ||': SPEED,
    'if (htu === expected)': SPEED,
  },
  'src/identity/dpop/jwk.ts': { "typeof alg === 'string' : undefined": NARROW },
  'src/identity/mtls/chain.ts': {
    'selfIssued &&': 'checkIssued compares the names itself',
    '!isRoot &&': SPEED,
    '&& issuer.certificate !== certificate': 'walk goes to no certificate that is on the path already',
  },
  'src/identity/mtls/config.ts': {
    "kind === 'uri' ? 'URI'": WORDS,
    "kind === 'uri' : 'DNS name'": WORDS,
    "typeof compiled === 'string' : undefined": 'FAULTS has no row for a pattern that compiled',
    '&& isSpiffe(uri)': 'another URI is parsed to no SPIFFE ID',
  },
  'src/identity/mtls/index.ts': {
    "if ('code' in principal)": NARROW,
    "|| escaped === ''": 'an empty text has no fingerprint either',
  },
  'src/identity/mtls/leaf.ts': { 'if (der === undefined)': NARROW },
  'src/identity/mtls/names.ts': { "kind === 'uri' && (2)": 'a DNS name is never a SPIFFE ID' },
  'src/identity/oauth/config.ts': {
    "what === 'role' ? 'operator'": WORDS,
    "what === 'role' : 'ductape:read'": WORDS,
  },
  'src/identity/oauth/discovery.ts': {
    'error instanceof FetchFault &&': 'nothing else is thrown there',
    'if (!Array.isArray(keys))': 'what follows throws for anything else, and that is the same problem',
  },
  'src/identity/oauth/keys.ts': {
    "error instanceof FetchFault : 'not_a_key_set'": 'nothing else is thrown there',
  },
  'src/identity/people/index.ts': {
    "error instanceof FetchFault : 'not_json'": 'nothing else is thrown there',
  },
  'src/identity/revocations/admin.ts': { "typeof until === 'string' : undefined": NARROW },
  'src/identity/revocations/config.ts': {
    "kind === 'fingerprint' : 'holds a control or invisible character'": WORDS,
  },
  'src/identity/revocations/entry.ts': { "typeof until === 'string' : undefined": NARROW },
  'src/identity/revocations/index.ts': { 'until !== 0 &&': 'zero is not after now either' },
  'src/identity/stage.ts': {
    "request.query !== '' &&": SPEED,
    'if (authorization === undefined)': NARROW,
    'read === refused ? undefined': 'a refusal has no thumbprint that a token could name',
    'if (demanded.size === 0)': SPEED,
    "|| 'code' in certificate": NARROW,
  },
}
