// Secrets by their form, as data: what calls for a look, and the expression that has to match there. Forms are those that the issuers publish.
import { type Check, entropy, type Rule, sticky } from './rule.ts'

const HEX = '[a-f\\d]'
/** No word may go on before a token: else every piece of a long text would be tried. */
const START = '(?<![\\w-])'
const END = '(?![\\w-])'

const mixed: Check = (secret) => entropy(secret) > 3 && /\d/.test(secret) && /[A-Za-z]/.test(secret)

/** Words of examples. */
const SAMPLE =
  /example|sample|dummy|placeholder|change.?me|your|redacted|x{4,}|\*{3,}|\.{3}|<|>|\$\{|\{\{|12345678|abcdefgh|test.?(?:key|token|secret)|(.)\1{5}/i
const real: Check = (secret, match) => mixed(secret, match) && !SAMPLE.test(secret)

const token = (id: string, triggers: string | readonly string[], body: string, check?: Check): Rule => ({
  detector: 'secret',
  id,
  triggers: typeof triggers === 'string' ? [triggers] : triggers,
  find: sticky(`${START}${body}${END}`, '', check),
})

/** A value beside the name of its issuer, in code, JSON, YAML or an environment file. */
const named = (id: string, names: readonly string[], value: string, check: Check = real): Rule => ({
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
function tailed(id: string, trigger: string, head: string, tail: string): Rule {
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

const MAX_HEAD = 40

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
const random: Check = (secret) =>
  entropy(secret) >= Math.min(3.5, Math.log2(secret.length) - 0.35) &&
  /\d/.test(secret) &&
  /[A-Za-z]/.test(secret) &&
  !SAMPLE.test(secret) &&
  !/^(?:https?:|\/|\.|\d{4}-\d\d|v?\d+\.\d|sha\d+-|[\w-]+\.(?:js|ts|json|md|com|org|io)$)|^[a-z]+(?:[-_.][a-z]+)+\d{0,3}$|^(?:[a-z]+|[A-Z][a-z]+|[A-Z]+)(?:[A-Z][a-z]+)*\d{0,3}$|^\w+\.\w+(?:\.\w+)*$/.test(
    secret,
  )

const PEM = '[A-Za-z\\d+/=\\s\\\\]'

export const SECRETS: readonly Rule[] = [
  // Clouds.
  token(
    'aws-access-key',
    ['AKIA', 'ASIA', 'ABIA', 'ACCA'],
    '(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}',
    (secret) => entropy(secret) > 2.8 && !/EXAMPLE/.test(secret),
  ),
  named(
    'aws-secret-key',
    ['aws_secret_access_key', 'secretaccesskey', 'aws_secret_key', 'secret_access_key'],
    '[A-Za-z\\d/+]{40}',
  ),
  named('aws-session-token', ['aws_session_token', 'sessiontoken'], '[A-Za-z\\d/+=]{100,1200}'),
  token('aws-bedrock-key', 'ABSK', 'ABSK[A-Za-z\\d+/]{100,240}={0,2}'),
  token('google-api-key', 'AIza', 'AIza[\\w-]{35}', mixed),
  token('google-oauth-secret', 'GOCSPX-', 'GOCSPX-[\\w-]{28}'),
  token('google-oauth-token', 'ya29.', 'ya29\\.[\\w-]{30,1000}'),
  named('azure-storage-key', ['accountkey', 'sharedaccesskey'], '[A-Za-z\\d+/]{43,86}={0,2}'),
  tailed('azure-ad-secret', 'Q~', '[\\w~.]{3}\\d', '[\\w~.-]{31,34}(?![\\w~.-])'),
  token('alibaba-access-key', 'LTAI', 'LTAI[A-Za-z\\d]{16,20}', mixed),
  token('digitalocean-token', ['dop_v1_', 'doo_v1_', 'dor_v1_'], `do[opr]_v1_${HEX}{64}`),
  named('cloudflare-api-key', ['cloudflare', 'cf_api'], '[A-Za-z\\d_-]{37,40}'),
  token('cloudflare-origin-ca', 'v1.0-', `v1\\.0-${HEX}{24}-${HEX}{146}`),
  named(
    'heroku-api-key',
    ['heroku_api_key', 'heroku_key'],
    `${HEX}{8}-${HEX}{4}-${HEX}{4}-${HEX}{4}-${HEX}{12}`,
  ),
  token('heroku-oauth', 'HRKU-', 'HRKU-AA[\\w-]{50,70}'),
  token('fly-token', 'fo1_', 'fo1_[\\w-]{43}'),
  named('vercel-token', ['vercel_token', 'vercel_api'], '[A-Za-z\\d]{24}'),
  token('vault-token', ['hvs.', 'hvb.'], 'hv[sb]\\.[\\w-]{80,300}'),
  tailed('terraform-token', '.atlasv1.', '[A-Za-z\\d]{14}', '[\\w=-]{60,70}(?![\\w=-])'),
  token('pulumi-token', 'pul-', `pul-${HEX}{40}`),
  token('doppler-token', 'dp.pt.', 'dp\\.pt\\.[A-Za-z\\d]{43}'),
  token('databricks-token', 'dapi', `dapi${HEX}{32}(?:-\\d)?`, mixed),
  // Code.
  token('github-token', ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], 'gh[pousr]_[A-Za-z\\d]{36,251}', mixed),
  token('github-fine-grained', 'github_pat_', 'github_pat_\\w{82}'),
  token(
    'gitlab-token',
    ['glpat-', 'gldt-', 'glrt-', 'glptt-', 'glcbt-', 'glft-', 'glsoat-'],
    '(?:glpat|gldt|glrt|glptt|glcbt|glft|glsoat)-[\\w.-]{20,300}',
    mixed,
  ),
  token('bitbucket-token', 'ATBB', 'ATBB[A-Za-z\\d]{32}', mixed),
  token('atlassian-token', 'ATATT3', 'ATATT3[\\w=-]{180,200}'),
  token('npm-token', 'npm_', 'npm_[A-Za-z\\d]{36}', mixed),
  token('pypi-token', 'pypi-AgEIcHlwaS5vcmc', 'pypi-AgEIcHlwaS5vcmc[\\w-]{50,1000}'),
  token('rubygems-token', 'rubygems_', `rubygems_${HEX}{48}`),
  token('docker-token', ['dckr_pat_', 'dckr_oat_'], 'dckr_[po]at_[\\w-]{27,40}', mixed),
  token('linear-key', 'lin_api_', 'lin_api_[A-Za-z\\d]{40}', mixed),
  token('postman-key', 'PMAK-', `PMAK-${HEX}{24}-${HEX}{34}`),
  token('sentry-token', ['sntrys_', 'sntryu_'], '(?:sntrys_eyJ[\\w+/=-]{80,400}|sntryu_[a-f\\d]{64})'),
  token(
    'grafana-token',
    ['glsa_', 'glc_'],
    '(?:glsa_[A-Za-z\\d]{32}_[A-Fa-f\\d]{8}|glc_[A-Za-z\\d+/]{32,400}={0,2})',
  ),
  token('newrelic-key', ['NRAK-', 'NRJS-'], 'NR(?:AK-[A-Z\\d]{27}|JS-[a-f\\d]{19})', mixed),
  named(
    'datadog-key',
    ['datadog_api_key', 'datadog_app_key', 'dd_api_key', 'dd_app_key', 'dd-api-key'],
    `${HEX}{32,40}`,
  ),
  // Models.
  token(
    'openai-key',
    ['sk-proj-', 'sk-svcacct-', 'sk-admin-', 'sk-'],
    'sk-(?:(?:proj|svcacct|admin)-[\\w-]{20,200}|[A-Za-z\\d]{20}T3BlbkFJ[A-Za-z\\d]{20}|[A-Za-z\\d]{48})',
    mixed,
  ),
  token('anthropic-key', ['sk-ant-'], 'sk-ant-(?:api|admin|oat|sid)\\d{2}-[\\w-]{80,120}'),
  token(
    'huggingface-token',
    ['hf_', 'api_org_'],
    '(?:hf|api_org)_[A-Za-z]{34}',
    (secret) => entropy(secret) > 3.5,
  ),
  token('replicate-token', 'r8_', 'r8_[A-Za-z\\d]{37}', mixed),
  token('groq-key', 'gsk_', 'gsk_[A-Za-z\\d]{52}', mixed),
  token('perplexity-key', 'pplx-', 'pplx-[A-Za-z\\d]{48}', mixed),
  token('xai-key', 'xai-', 'xai-[A-Za-z\\d]{70,90}', mixed),
  // Payment, mail and messages.
  token(
    'stripe-key',
    ['sk_live_', 'rk_live_', 'sk_test_', 'rk_test_'],
    '[sr]k_(?:live|test)_[A-Za-z\\d]{16,128}',
    mixed,
  ),
  token('stripe-webhook', 'whsec_', 'whsec_[A-Za-z\\d+/]{24,64}={0,2}', mixed),
  token(
    'square-token',
    ['EAAA', 'sq0csp-', 'sq0atp-'],
    '(?:EAAA[\\w-]{60}|sq0(?:csp-[\\w-]{43}|atp-[\\w-]{22}))',
    mixed,
  ),
  token('shopify-token', ['shpat_', 'shpca_', 'shppa_', 'shpss_'], `shp(?:at|ca|pa|ss)_[a-fA-F\\d]{32}`),
  named('paystack-key', ['paystack'], 'sk_(?:live|test)_[a-f\\d]{40}'),
  token(
    'slack-token',
    ['xoxb-', 'xoxp-', 'xoxa-', 'xoxr-', 'xoxs-', 'xoxe-', 'xapp-'],
    '(?:xox[bpars]-(?:\\d{8,14}-){1,3}[A-Za-z\\d-]{16,64}|xoxe-\\d-[A-Za-z\\d]{140,170}|xapp-\\d-[A-Z\\d]{8,14}-\\d{8,14}-[a-f\\d]{64})',
  ),
  {
    detector: 'secret',
    id: 'slack-webhook',
    triggers: ['hooks.slack.com/'],
    find: sticky('hooks\\.slack\\.com/(?:services|workflows|triggers)/(T[A-Z\\d]{8,12}/[\\w/]{20,80})'),
  },
  {
    detector: 'secret',
    id: 'discord-webhook',
    triggers: ['discord.com/api/webhooks/', 'discordapp.com/api/webhooks/'],
    find: sticky('discord(?:app)?\\.com/api/webhooks/\\d{17,20}/([\\w-]{60,72})'),
  },
  {
    detector: 'secret',
    id: 'telegram-bot-token',
    triggers: [':AA'],
    find: sticky('(?<=(?<!\\d)\\d{8,10}):(AA[\\w-]{33})(?![\\w-])'),
  },
  token('twilio-key', ['SK', 'AC'], `(?:SK|AC)${HEX}{32}`, mixed),
  token('sendgrid-key', 'SG.', 'SG\\.[\\w-]{22}\\.[\\w-]{43}'),
  token('mailgun-key', 'key-', `key-${HEX}{32}`, mixed),
  tailed('mailchimp-key', '-us', `${HEX}{32}`, '\\d{1,2}(?!\\w)'),
  token('brevo-key', 'xkeysib-', `xkeysib-${HEX}{64}-[A-Za-z\\d]{16}`),
  token('resend-key', 're_', 're_[A-Za-z\\d]{8}_[A-Za-z\\d]{24}', mixed),
  token('notion-token', ['ntn_', 'secret_'], '(?:ntn_[A-Za-z\\d]{44,50}|secret_[A-Za-z\\d]{43})', mixed),
  token('airtable-token', 'pat', 'pat[A-Za-z\\d]{14}\\.[a-f\\d]{64}'),
  token('figma-token', ['figd_'], 'figd_[\\w-]{40}', mixed),
  token('age-secret-key', 'AGE-SECRET-KEY-1', 'AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}'),
  // Ductape's own: access keys, publishable keys, and this service's API keys.
  token(
    'ductape-key',
    ['pk_live_', 'pk_test_', 'dpk_', 'dsk_'],
    '(?:pk_(?:live|test)|d[ps]k)_[A-Za-z\\d_-]{16,128}',
    mixed,
  ),
  token('ductape-mcp-key', ['dmk_', 'dmcp_'], '(?:dmk|dmcp)_[\\w-]{32,80}', mixed),
  named(
    'ductape-access-key',
    ['access_key', 'accesskey', 'publishable_key', 'publishablekey', 'x-access-key'],
    '[\\w-]{20,128}',
    random,
  ),
  // Forms that many issuers share.
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
    find: sticky(`Private-Lines: \\d{1,4}((?:[\\s\\\\nr]{1,4}[A-Za-z\\d+/]{20,64}={0,2}){1,64})`),
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
