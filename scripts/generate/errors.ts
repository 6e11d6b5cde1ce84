// Writes docs/reference/errors.md from the denials table: one row a code, in the order of the stages.
import { DENIALS, type DenialRow, type StageName } from '../../src/core/denials.ts'

export const ERRORS_PATH = 'docs/reference/errors.md'

const INTRO = `# Refusals and failures

<!-- Generated from src/core/denials.ts by \`npm run generate\`. Do not edit. -->

Everything that ends a call early has a code. The codes are stable: match on them, not on the sentences.

- **Over MCP** it takes one of three forms. \`http\`: an HTTP status with a JSON-RPC error (status and code as below). \`error\`: a JSON-RPC error under
  HTTP 200. \`result\`: a tool result with \`isError: true\`; its text is \`[code] sentence\` and its \`_meta["app.ductape/refusal"]\` holds \`code\`,
  \`retryable\` and, where it is known, \`retryAfterMs\`. Sentences that come from Ductape's own documentation stand bare, without the code: those
  rows are marked *bare*. What the backend reported stands after the words that Ductape uses: \`Error: <message>\`,
  \`Error: Proxy request failed: <status>\`, \`Payload generation request failed\`.
- **Over REST** every one is \`application/problem+json\` (RFC 9457) with the status below and the members \`code\`, \`retryable\`, \`requestId\` and \`remedy\`.
- **retryable** means that the very same request may succeed later and that repeating it does no harm.
- \`{detail}\` stands for words of this service or for a value that was made safe to show; a key is never shown.
- **exit** is the exit code of \`ductape-mcp call\`.
`

const HEADS: Readonly<Record<StageName, string>> = {
  transport: 'decided from the head of the request, before a byte of the body is read',
  identity: 'decided from the head of the request: who calls is not shown, or not believed',
  protocol: 'the body is not a message that this service understands',
  resolve: 'there is no such tool',
  validate: 'the arguments are not those of the tool; nothing was sent to the backend',
  policy: 'the caller may not do this; nothing was sent to the backend',
  guards: 'an argument holds what it may not; nothing was sent to the backend',
  replay: 'the idempotency key of the call decides; nothing was sent to the backend again',
  limits: 'the caller, the tool or the tenant has used up what it may; nothing was sent to the backend',
  approval: 'a person has to agree; nothing was sent to the backend',
  record: 'the call could not be recorded; nothing was sent to the backend',
  credentials: 'there is no Ductape key to send with the call; nothing was sent to the backend',
  backend: 'the backend was asked, or could not be',
  shape: 'the answer of the backend could not be passed on',
  scan: 'the answer holds what must not be passed on; the operation took effect',
}

export function errorsText(): string {
  const rows: [string, DenialRow][] = Object.entries(DENIALS)
  const parts = [INTRO]
  for (const [stage, about] of Object.entries(HEADS)) {
    const own = rows.filter(([, row]) => row.stage === stage)
    if (own.length === 0) continue
    parts.push(
      [
        `## ${stage}`,
        '',
        `${about[0]?.toUpperCase()}${about.slice(1)}.`,
        '',
        '| code | REST | MCP | JSON-RPC | exit | retryable | sentence | what to do |',
        '|---|---|---|---|---|---|---|---|',
        ...own.map(line),
        '',
      ].join('\n'),
    )
  }
  return parts.join('\n')
}

const line = ([code, row]: [string, DenialRow]): string => {
  const form = row.bare ? `${row.form}, *bare*` : row.form
  const rpc = row.form === 'result' ? '' : String(row.rpc)
  const cells = [
    `\`${code}\``,
    row.status,
    form,
    rpc,
    row.exit,
    row.retryable ? 'yes' : 'no',
    row.text,
    row.remedy,
  ]
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`
}
