// The section `guards` of live/policy.yaml: what each guard lets pass, for which calls, and which further arguments it looks at.
import * as z from 'zod'
import { choice, kinds, list } from '../../config/fields.ts'

const MAX_RULES = 1000
const MAX_ITEMS = 1000

function texts(noun: string, form: RegExp, fix: string) {
  const item = z.string().min(1).max(1024).regex(form)
  kinds.add(item, { type: noun.replace(/^an? /, ''), expects: noun, fix })
  const schema = z.union([item, z.array(item).min(1).max(MAX_ITEMS)])
  kinds.add(schema, {
    type: `${noun.replace(/^an? /, '')}, or a list of them`,
    expects: `${noun} or a list of them`,
    fix,
  })
  return schema.optional()
}

// No control or invisible character.
const PLAIN = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]+$/u
const pattern = (noun: string, example: string) =>
  texts(noun, PLAIN, `Write a text such as "${example}", or a list; * stands for any run of characters.`)

const also = texts(
  'a JSON pointer into the arguments',
  /^(?:\/[^\p{Cc}\p{Cf}~/]+)+$/u,
  'Write the names and numbers on the way to the argument, such as "/params/0/callback"; * is each element of a list.',
)

const calls = {
  module: pattern('a module pattern', 'storage').describe(
    'Ductape modules that the rule holds for, default all',
  ),
  method: pattern('a method pattern', 'upload').describe('Methods that it holds for, default all'),
  env: pattern('an environment pattern', 'dev').describe('Environment slugs that it holds for, default all'),
  product: pattern('a product pattern', 'acme:*').describe('Product tags that it holds for, default all'),
}

const alsoKey = (what: string) =>
  also.describe(`Further arguments that hold ${what}, as JSON pointers; the catalogue marks most`)

const flag = () => z.boolean().optional()

const SCHEME = /^[a-z][a-z0-9+.-]*$/
const HOST =
  /^(?=.{1,253}$)(?:[a-z0-9*](?:[a-z0-9*_-]*[a-z0-9*])?(?:\.[a-z0-9*](?:[a-z0-9*_-]*[a-z0-9*])?)*|[0-9a-f:.]*:[0-9a-f:.]+)$/

const sql = z.strictObject({
  ...calls,
  also: alsoKey('SQL'),
  unproven: choice(['policy', 'refuse'])
    .optional()
    .describe(
      'What becomes of a text that is not shown to only read: policy judges it as destructive, or it is refused; default policy',
    ),
  union: flag().describe('UNION is let through, default false'),
})

const cypher = z.strictObject({
  ...calls,
  also: alsoKey('Cypher'),
  allow: choice(['reads', 'any'])
    .optional()
    .describe('Only texts that are shown to read, or whatever policy allows; default reads'),
})

const path = z.strictObject({
  ...calls,
  also: alsoKey('paths'),
  absolute: flag().describe('Paths may begin with a slash, default false'),
  metacharacters: flag().describe('Paths may hold characters such as & and $, default false'),
})

const url = z.strictObject({
  ...calls,
  also: alsoKey('URLs, hosts or connection strings'),
  schemes: texts(
    'a URL scheme',
    SCHEME,
    'Write "https" or "postgresql", in small letters and without "://".',
  ).describe('Schemes, default https and those of encrypted or database connections'),
  hosts: texts(
    'a host or a pattern of hosts',
    HOST,
    'Write "api.example.com", "*.example.com", "*" or an address, in small letters and without port; other alphabets as xn--.',
  ).describe(
    'Hosts, default every public one. A host without * may also be a private one; a pattern never stands for those',
  ),
})

const secrets = z.strictObject({
  ...calls,
  allow: flag().describe('Arguments may hold $Secret{...}, default false'),
})

export const guardsSection = z.strictObject({
  sql: list(sql, 'rules', MAX_RULES).prefault([]).describe('SQL texts: the first rule that holds decides'),
  cypher: list(cypher, 'rules', MAX_RULES)
    .prefault([])
    .describe('Cypher texts: the first rule that holds decides'),
  path: list(path, 'rules', MAX_RULES).prefault([]).describe('Paths: the first rule that holds decides'),
  url: list(url, 'rules', MAX_RULES)
    .prefault([])
    .describe('URLs and connection strings: the first rule that holds decides'),
  secrets: list(secrets, 'rules', MAX_RULES)
    .prefault([])
    .describe('References to secrets of the workspace: the first rule that holds decides'),
})

export type GuardsFile = z.output<typeof guardsSection>
