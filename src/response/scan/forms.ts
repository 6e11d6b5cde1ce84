// How a rule for secrets is written, and the forms that many issuers share: JSON web tokens, private keys, passwords in addresses and beside their names.
import { type Check, entropy, type Rule, sticky } from './rule.ts'

export const HEX = '[a-f\\d]'
/** No word may go on before a token: else every piece of a long text would be tried. */
const START = '(?<![\\w-])'
const END = '(?![\\w-])'

export const mixed: Check = (secret) => entropy(secret) > 3 && /\d/.test(secret) && /[A-Za-z]/.test(secret)

/** Words of examples. */
const SAMPLE =
  /example|sample|dummy|placeholder|change.?me|your|redacted|x{4,}|\*{3,}|\.{3}|<|>|\$\{|\{\{|12345678|abcdefgh|test.?(?:key|token|secret)|(.)\1{5}/i
const real: Check = (secret, match) => mixed(secret, match) && !SAMPLE.test(secret)

export const token = (
  id: string,
  triggers: string | readonly string[],
  body: string,
  check?: Check,
): Rule => ({
  detector: 'secret',
  id,
  triggers: typeof triggers === 'string' ? [triggers] : triggers,
  find: sticky(`${START}${body}${END}`, '', check),
})

/** A value beside the name of its issuer, in code, JSON, YAML or an environment file. */
export const named = (id: string, names: readonly string[], value: string, check: Check = real): Rule => ({
  detector: 'secret',
  id,
  triggers: names,
  anyCase: true,
  find: sticky(
    `(?:${names.join('|')})[\\w.-]{0,24}\\\\?["']?\\s{0,3}(?:=>|:=|=|:)\\s{0,3}\\\\?["']?(${value})(?![\\w+/=-])`,
    'i',
    check,
  ),
})

/** What makes it known stands in its middle: `head` is what has to stand before that. */
export function tailed(id: string, trigger: string, head: string, tail: string): Rule {
  const before = new RegExp(`(?<![\\w~.-])${head}$`)
  const after = sticky(trigger.replaceAll('.', '\\.') + tail)
  return {
    detector: 'secret',
    id,
    triggers: [trigger],
    find(text, at) {
      const range = after(text, at)
      const length = range && before.exec(text.slice(Math.max(0, at - MAX_HEAD), at))?.[0].length
      return length === undefined ? undefined : { from: at - length, to: range?.to ?? at }
    },
  }
}

const MAX_HEAD = 80

const PASSWORD = '[^\\s"\'\\\\@/<>{}$*]{3,128}'
const connection = (id: string, schemes: readonly string[]): Rule => ({
  detector: 'secret',
  id,
  triggers: schemes.map((scheme) => `${scheme}://`),
  anyCase: true,
  find: sticky(
    `(?:${schemes.join('|').replaceAll('+', '\\+')})://[^\\s:@/"'\\\\]{0,64}:(${PASSWORD})(?=@[\\w[])`,
    'i',
    (secret) =>
      !/^(?:pass(?:word)?|pwd|secret|user|token|x+|\.+|%s|changeme|postgres|root|guest|admin|test|redacted)$/i.test(
        secret,
      ) && !/^\[|^\(|:\w+$/.test(secret),
  ),
})

const VALUE = '[\\w+/=.~!@#%^&*-]{10,128}'
/** Something random: digits and letters that change places, no path, address, name in code, or date. */
export const random: Check = (secret) =>
  entropy(secret) >= Math.min(3.5, Math.log2(secret.length) - 0.35) &&
  /\d/.test(secret) &&
  /[A-Za-z]/.test(secret) &&
  !SAMPLE.test(secret) &&
  !/^(?:https?:|\/|\.|\d{4}-\d\d|v?\d+\.\d|sha\d+-|[\w-]+\.(?:js|ts|json|md|com|org|io)$)|^[a-z]+(?:[-_.][a-z]+)+\d{0,3}$|^(?:[a-z]+|[A-Z][a-z]+|[A-Z]+)(?:[A-Z][a-z]+)*\d{0,3}$|^\w+\.\w+(?:\.\w+)*$/.test(
    secret,
  )

const PEM = '[A-Za-z\\d+/=\\s\\\\]'

/** A line break, as it is or as code writes it. */
const BREAK = '[\\s\\\\nr]{1,4}'

export const SHARED: readonly Rule[] = [
  token('jwt', 'eyJ', 'eyJ[\\w-]{10,2000}\\.eyJ[\\w-]{10,6000}\\.[\\w-]{20,1000}'),
  {
    detector: 'secret',
    id: 'private-key',
    triggers: ['-----BEGIN '],
    find: sticky(
      `-----BEGIN (?:[A-Z\\d]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:${PEM}{1,4}Proc-Type: 4,ENCRYPTED${PEM}{1,4}DEK-Info: [A-Z\\d-]{4,24},[A-F\\d]{8,64})?${PEM}{48,16000}(?:-----END (?:[A-Z\\d]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?`,
    ),
  },
  {
    detector: 'secret',
    id: 'ppk-private-key',
    triggers: ['Private-Lines: '],
    find: sticky(
      `Private-Lines: \\d{1,4}((?:${BREAK}[A-Za-z\\d+/]{40,64}={0,2}){1,64}(?:${BREAK}[A-Za-z\\d+/]{1,39}={0,2}(?=${BREAK}Private-|["']|\\s{0,2}$))?)`,
    ),
  },
  connection('database-url', [
    'postgres',
    'postgresql',
    'mysql',
    'mariadb',
    'mssql',
    'sqlserver',
    'mongodb',
    'mongodb+srv',
    'redis',
    'rediss',
    'clickhouse',
    'cockroachdb',
    'oracle',
    'neo4j',
    'bolt',
  ]),
  connection('broker-url', [
    'amqp',
    'amqps',
    'mqtt',
    'mqtts',
    'nats',
    'kafka',
    'smtp',
    'smtps',
    'ftp',
    'sftp',
    'ldap',
    'ldaps',
  ]),
  connection('http-password', ['http', 'https']),
  {
    detector: 'secret',
    id: 'bearer-token',
    triggers: ['bearer ', 'basic '],
    anyCase: true,
    generic: true,
    find: sticky(
      `(?<=authorization\\\\?["']?\\s{0,2}[:=]\\s{0,2}\\\\?["']?)(?:bearer|basic)\\s([\\w.~+/=-]{16,2000})(?![\\w+/=-])`,
      'i',
      random,
    ),
  },
  {
    detector: 'secret',
    id: 'assigned-secret',
    triggers: [
      'password',
      'passwd',
      'passphrase',
      'secret',
      'token',
      'api_key',
      'apikey',
      'api-key',
      'private_key',
      'privatekey',
      'encryption_key',
      'signing_key',
      'credential',
    ],
    anyCase: true,
    generic: true,
    find: sticky(
      `(?:password|passwd|passphrase|secret|token|api[_-]?key|private_?key|encryption_key|signing_key|credential)[\\w.-]{0,24}(?:\\\\?["']\\s{0,3}(?:=>|:=|=|:)|\\s{0,3}(?:=>|:=|=|:))\\s{0,3}\\\\?["'](${VALUE})(?=\\\\?["'])`,
      'i',
      random,
    ),
  },
  {
    detector: 'secret',
    id: 'environment-secret',
    triggers: ['PASSWORD=', 'PASSWD=', 'SECRET=', 'TOKEN=', '_KEY='],
    generic: true,
    find: sticky(`(?:PASSWORD|PASSWD|SECRET|TOKEN|_KEY)=(${VALUE})(?=\\s|$|\\\\|")`, '', random),
  },
]
