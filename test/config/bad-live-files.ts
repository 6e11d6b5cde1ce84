// Files of live/ that must be refused: the text, and each problem with key, place and words.
import type { LiveFile } from '../../src/config/index.ts'
import type { Expected } from './bad-files.ts'

const SHA256 = 'a'.repeat(64)
const record = (more: string): string =>
  `keys:\n  - { id: k1, sha256: ${SHA256}, owner: a, purpose: p${more} }\n`

export const BAD_LIVE_FILES: Readonly<Record<LiveFile, readonly (readonly [text: string, ...Expected[]])[]>> =
  {
    'policy.yaml': [
      ['roles: [\n', ['', 2, 1, /is indented wrongly, or a bracket before it is still open/]],
      ['- a\n', ['', 1, 1, /must be a map of config keys/]],
      ['just text\n', ['', 1, 1, /must be a map of config keys/]],
      ['roles: { a: {}, a: {} }\n', ['roles.a', 1, 17, /stands twice, first on line 1/]],
      ['roles: { a: &x {}, b: *x }\n', ['roles.b', 1, 23, /is a YAML alias; a config file has none/]],
      ['roles: !t {}\n', ['roles', 1, 11, /has a YAML tag \("!\.\.\."\)/]],
      ['rolls: {}\n', ['rolls', 1, 1, /is not a known key/]],
      ['publicUrl: https://a.example\n', ['publicUrl', 1, 1, /belongs in config\.yaml/]],
      ['version: 2\n', ['version', 1, 10, /must be 1, the format this build reads/]],
      ['mode: watch\n', ['mode', 1, 7, /must be one of enforce, observe/]],
      ['mode: observe\n', ['mode', 1, 7, /observe needs an end/]],
      ['until: 2027-01-01\n', ['until', 1, 8, /says nothing without mode/]],
      [
        'roles: { a: { allow: [{}] } }\n',
        ['roles.a.allow[0]', 1, 23, /names nothing, so it would hold for every call/],
      ],
      ['roles: { a: { alow: [] } }\n', ['roles.a.alow', 1, 15, /is not a known key/]],
      [
        'roles: { a: { allow: [{ tool: 3 }] } }\n',
        ['roles.a.allow[0].tool', 1, 31, /must be a tool pattern or a list of them/],
      ],
      [
        'roles: { a: { allow: [{ effect: reed }] } }\n',
        ['roles.a.allow[0].effect', 1, 33, /must be an effect or a list of them/],
      ],
      [
        'roles: { a: { allow: [{ path: "a/../b" }] } }\n',
        ['roles.a.allow[0].path', 1, 31, /must be a path prefix or a list of them/],
      ],
      [
        'roles: { a: { allow: [{ when: "(" }] } }\n',
        ['roles.a.allow[0].when', 1, 31, /is not a valid condition/],
      ],
      [
        'roles: { a: { allow: [{ name: n, tool: x }, { name: n, tool: y }] } }\n',
        ['roles.a.allow[1].name', 1, 53, /is the name of another rule/],
      ],
      [
        'policies: [{ role: a }, { role: a }]\n',
        ['policies[1].role', 1, 33, /names a role that stands above/],
      ],
      [
        'dangerous_tools: [{ name: "*" }]\n',
        ['dangerous_tools[0].name', 1, 27, /must be the name of a tool/],
      ],
      [
        'roles: { a: { allow: [{ tool: "x\\u202e" }] } }\n',
        ['roles.a.allow[0].tool', 1, 31, /must be a tool pattern or a list of them/],
      ],
      ['version: 1\n---\nversion: 1\n', ['', 2, 1, /holds more than one YAML document/]],
      ['{"roles": {}, "roles": {}}\n', ['roles', 1, 15, /stands twice/]],
      ['{"roles": \n', ['', 1, 11, /lacks a character here/]],
      ['__proto__: {}\n', ['__proto__', 1, 1, /is no key of a config/]],
      ['roles: { __proto__: {} }\n', ['roles.__proto__', 1, 10, /is no key of a config/]],
    ],
    'keys.yaml': [
      ['keys: [\n', ['', 2, 1, /is indented wrongly, or a bracket before it is still open/]],
      ['keys: {}\n', ['keys', 1, 7, /must be a list of records of keys/]],
      ['kyes: []\n', ['kyes', 1, 1, /is not a known key/]],
      ['live: x\n', ['live', 1, 1, /belongs in config\.yaml/]],
      ['apiKeys: {}\n', ['apiKeys', 1, 1, /is not a known key/]],
      [
        `keys:\n  - { id: k1, sha256: ${SHA256}, owner: a, purpose: p }\n  - { id: k1, sha256: ${SHA256}, owner: a, purpose: p }\n`,
        ['keys[1].id', 3, 11, /stands in an earlier record too/],
      ],
      [record(', tenant: ""'), ['keys[0].tenant', 2, 119, /must be a tenant, 1 to 128 visible characters/]],
      [record(', role: [r]'), ['keys[0].role', 2, 111, /is not a known key/]],
      [record(', roles: r'), ['keys[0].roles', 2, 118, /must be a list of roles/]],
      [
        record(', expiresAt: tomorrow'),
        ['keys[0].expiresAt', 2, 122, /must be a time such as "2027-01-31T12:00:00Z"/],
      ],
      [
        record(', expiresAt: 2027-02-30'),
        ['keys[0].expiresAt', 2, 122, /must be a time such as "2027-01-31T12:00:00Z"/],
      ],
      [
        record(', rate: { perMinute: 0, burst: 1 }'),
        ['keys[0].rate.perMinute', 2, 130, /must be a whole number from 1 to 1000000/],
      ],
      [record(', rate: { perMinute: 60 }'), ['keys[0].rate.burst', 2, 111, /is missing/]],
      [
        `keys:\n  - { id: K1, sha256: ${SHA256}, owner: a, purpose: p }\n`,
        ['keys[0].id', 2, 11, /must be an id of lower-case letters, digits, "-" and "_"/],
      ],
      [
        'keys:\n  - { id: k1, sha256: short, owner: a, purpose: p }\n',
        ['keys[0].sha256', 2, 23, /must be a SHA-256 in lower-case hex/],
      ],
      [`keys:\n  - { id: k1, sha256: ${SHA256}, purpose: p }\n`, ['keys[0].owner', 2, 5, /is missing/]],
      [
        'keys: [&a { id: x }, *a]\n',
        ['keys[0].sha256', 1, 11, /is missing/],
        ['keys[0].owner', 1, 11, /is missing/],
        ['keys[0].purpose', 1, 11, /is missing/],
        ['keys[1]', 1, 22, /is a YAML alias; a config file has none/],
      ],
      ['keys: !t []\n', ['keys', 1, 10, /has a YAML tag \("!\.\.\."\)/]],
      ['version: "1"\n', ['version', 1, 10, /must be 1, the format this build reads/]],
      ['keys:\n  - dmcp_canary\n', ['keys[0]', 2, 5, /must be a map of keys/]],
      ['keys: []\nkeys: []\n', ['keys', 2, 1, /stands twice, first on line 1/]],
    ],
    'limits.yaml': [
      ['principal: [\n', ['', 2, 1, /is indented wrongly, or a bracket before it is still open/]],
      ['principal: 5\n', ['principal', 1, 12, /must be a map of keys/]],
      ['principle: {}\n', ['principle', 1, 1, /is not a known key/]],
      ['listen: 127.0.0.1:1\n', ['listen', 1, 1, /belongs in config\.yaml/]],
      ['rate: {}\n', ['rate', 1, 1, /is not a known key/]],
      ['principal: { rate: 60 }\n', ['principal.rate', 1, 20, /must be \{ perMinute, burst \}, or off/]],
      [
        'principal: { rate: { perMinute: 0 } }\n',
        ['principal.rate.perMinute', 1, 33, /must be a whole number from 1 to 10000000/],
      ],
      [
        'principal: { rate: { perMinute: 1.5 } }\n',
        ['principal.rate.perMinute', 1, 33, /must be a whole number from 1 to 10000000/],
      ],
      [
        'principal: { rate: { perMinut: 5 } }\n',
        ['principal.rate.perMinute', 1, 14, /is missing/],
        ['principal.rate.perMinut', 1, 22, /is not a known key/],
      ],
      [
        'principal: { executions: { count: 5, window: 1 } }\n',
        ['principal.executions.window', 1, 46, /must be a duration from 1s to 744h/],
      ],
      [
        'principal: { executions: { count: 5, window: 32d } }\n',
        ['principal.executions.window', 1, 46, /must be a duration from 1s to 744h/],
      ],
      [
        'principal: { deadline: 1ms }\n',
        ['principal.deadline', 1, 24, /must be a duration from 100ms to 30m, or off/],
      ],
      [
        'principal: { deadline: on }\n',
        ['principal.deadline', 1, 24, /must be a duration from 100ms to 30m, or off/],
      ],
      [
        'tools: { "Bad Tool": {} }\n',
        ['tools["Bad Tool"]', 1, 22, /is not a tool, or a tool and its operation/],
      ],
      [
        'tools: { ductape_execute: { dangerous: 3 } }\n',
        ['tools.ductape_execute.dangerous', 1, 40, /must be true or false/],
      ],
      ['tools: []\n', ['tools', 1, 8, /must be a map of a tool, or a tool and its operation to limits/]],
      ['tenants: { acme: off }\n', ['tenants.acme', 1, 18, /must be a map of keys/]],
      [
        'tenant: { concurrency: 0 }\n',
        ['tenant.concurrency', 1, 24, /must be a whole number of calls, or off/],
      ],
      [
        'tenant: &t {}\ntenants: { a: *t }\n',
        ['tenants.a', 2, 15, /is a YAML alias; a config file has none/],
      ],
      ['tenant: {}\ntenant: {}\n', ['tenant', 2, 1, /stands twice, first on line 1/]],
      ['version: 3\n', ['version', 1, 10, /must be 1, the format this build reads/]],
      [
        'principals: { a: { inputTokens: off, outputTokens: none } }\n',
        ['principals.a.outputTokens', 1, 52, /must be \{ count, window \}, or off/],
      ],
      ['tenant: !x {}\n', ['tenant', 1, 12, /has a YAML tag \("!\.\.\."\)/]],
    ],
    'revocations.yaml': [
      ['revocations: [\n', ['', 2, 1, /is indented wrongly, or a bracket before it is still open/]],
      ['revocations: {}\n', ['revocations', 1, 14, /must be a list of revocations/]],
      ['revocation: []\n', ['revocation', 1, 1, /is not a known key/]],
      ['roles: {}\n', ['roles', 1, 1, /belongs in live\/policy\.yaml/]],
      ['revocations: [{ kind: jti }]\n', ['revocations[0].value', 1, 15, /is missing/]],
      [
        'revocations: [{ kind: token, value: x }]\n',
        ['revocations[0].kind', 1, 23, /must be one of jti, subject, key, fingerprint/],
      ],
      [
        'revocations: [{ kind: jti, value: "" }]\n',
        ['revocations[0].value', 1, 35, /must be the value of a token, key or certificate/],
        ['revocations[0].value', 1, 35, /holds a control or invisible character/],
      ],
      [
        'revocations: [{ kind: jti, value: 5 }]\n',
        ['revocations[0].value', 1, 35, /must be the value of a token, key or certificate/],
      ],
      [
        'revocations: [{ kind: fingerprint, value: abc }]\n',
        ['revocations[0].value', 1, 43, /is not a SHA-256 in hex/],
      ],
      [
        'revocations: [{ kind: jti, value: x, until: soon }]\n',
        ['revocations[0].until', 1, 45, /must be a time such as "2027-01-31T12:00:00Z"/],
      ],
      [
        'revocations: [{ kind: jti, value: x, untill: 2027-01-01 }]\n',
        ['revocations[0].untill', 1, 38, /is not a known key/],
      ],
      [
        'revocations: [{ kind: jti, value: "a\\u0000" }]\n',
        ['revocations[0].value', 1, 35, /holds a control or invisible character/],
      ],
      [
        'revocations: [&a { kind: jti, value: x }, *a]\n',
        ['revocations[1]', 1, 43, /is a YAML alias; a config file has none/],
      ],
      ['revocations: []\nrevocations: []\n', ['revocations', 2, 1, /stands twice, first on line 1/]],
      ['revocations: [jti]\n', ['revocations[0]', 1, 15, /must be a map of keys/]],
      ['version: 0\n', ['version', 1, 10, /must be 1, the format this build reads/]],
      ['revocations: !t []\n', ['revocations', 1, 17, /has a YAML tag \("!\.\.\."\)/]],
      ['- a\n', ['', 1, 1, /must be a map of config keys/]],
      ['revocations:\n', ['revocations', 1, 13, /has no value; it must be a list of revocations/]],
    ],
    'kill.yaml': [
      ['kill: [\n', ['', 2, 1, /is indented wrongly, or a bracket before it is still open/]],
      ['kill: {}\n', ['kill', 1, 7, /must be a list of things that are off/]],
      ['kill:\n', ['kill', 1, 6, /has no value; it must be a list of things that are off/]],
      ['kills: []\n', ['kills', 1, 1, /is not a known key/]],
      ['revocations: []\n', ['revocations', 1, 1, /belongs in live\/revocations\.yaml/]],
      ['version: 2\n', ['version', 1, 10, /must be 1, the format this build reads/]],
      ['kill: [everything]\n', ['kill[0]', 1, 8, /must be a map of keys/]],
      ['kill: [{ kind: everything }]\n', ['kill[0].reason', 1, 8, /is missing/]],
      [
        'kill: [{ kind: all, reason: r }]\n',
        ['kill[0].kind', 1, 16, /must be one of tool, module, principal, tenant, everything/],
      ],
      ['kill: [{ kind: tool, reason: r }]\n', ['kill[0].value', 1, 8, /is missing/]],
      [
        'kill: [{ kind: everything, value: x, reason: r }]\n',
        ['kill[0].value', 1, 35, /has no place beside everything/],
      ],
      [
        'kill: [{ kind: tenant, value: 5, reason: r }]\n',
        ['kill[0].value', 1, 31, /must be a name, 1 to 512 visible characters/],
      ],
      [
        'kill: [{ kind: tenant, value: "a\\u200b", reason: r }]\n',
        ['kill[0].value', 1, 31, /must be a name, 1 to 512 visible characters/],
      ],
      [
        'kill: [{ kind: tenant, value: a, reason: "" }]\n',
        ['kill[0].reason', 1, 42, /must be a reason, 1 to 512 visible characters/],
      ],
      [
        'kill: [{ kind: tenant, value: a, reason: r, until: soon }]\n',
        ['kill[0].until', 1, 52, /must be a time such as "2027-01-31T12:00:00Z"/],
      ],
      [
        'kill: [{ kind: tenant, value: a, reason: r, untill: 2027-01-01 }]\n',
        ['kill[0].untill', 1, 45, /is not a known key/],
      ],
      ['kill: []\nkill: []\n', ['kill', 2, 1, /stands twice, first on line 1/]],
      [
        'kill: [&a { kind: everything, reason: r }, *a]\n',
        ['kill[1]', 1, 44, /is a YAML alias; a config file has none/],
      ],
    ],
    'scan.yaml': [
      ['secret: [\n', ['', 2, 1, /is indented wrongly, or a bracket before it is still open/]],
      ['version: 2\n', ['version', 1, 10, /must be 1/]],
      ['secret: loud\n', ['secret', 1, 9, /must be off, flag, redact or block/]],
      ['secret: { reed: flag }\n', ['secret.reed', 1, 11, /is not a known key/]],
      ['secrets: flag\n', ['secrets', 1, 1, /is not a known key/]],
      ['rules: { "A B": flag }\n', ['rules["A B"]', 1, 17, /is not a rule id/]],
      ['rules: { email: on }\n', ['rules.email', 1, 17, /must be off, flag, redact or block/]],
      ['patterns: {}\n', ['patterns', 1, 11, /must be a list of rules of your own/]],
      ['links: { allow: ["https://x.example"] }\n', ['links.allow[0]', 1, 18, /must be a host name/]],
      ['truncate: { maxBytes: 10 }\n', ['truncate.maxBytes', 1, 23, /must be a size from 1KiB to 100MiB/]],
      [
        'truncate: { maxTokens: 1 }\n',
        ['truncate.maxTokens', 1, 24, /must be a whole number from 100 to 10000000/],
      ],
      ['provenance: perhaps\n', ['provenance', 1, 13, /must be true or false/]],
    ],
  }
