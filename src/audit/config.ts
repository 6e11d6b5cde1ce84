// The config sections `audit` and `receipts`: where records go, what happens where they cannot, who witnesses the chain, and what signs.
import { resolve } from 'node:path'
import * as z from 'zod'
import { choice, duration, faultsOf, filePath, fileReference, judged, kinds, size } from '../config/fields.ts'
import { isLoopback } from '../core/loopback.ts'

const sink = z.union([
  z.literal('stdout'),
  z.strictObject({
    directory: filePath().describe(
      'Folder of the files audit-CHAIN-NNNN.jsonl; one process never appends to the file of another',
    ),
  }),
])
kinds.add(sink, {
  type: 'stdout, or { directory: path }',
  expects: 'stdout or a folder',
  fix: 'Write stdout, or { directory: "/var/log/ductape-mcp" }.',
})

const WITNESS_URL = {
  type: 'URL: https, or http on loopback',
  expects: 'a URL such as "https://witness.example.com/ductape-mcp"',
  fix: 'Write an https URL without user name, password and fragment.',
}

const witnessUrl = () =>
  judged(WITNESS_URL, {
    pattern: '^https?://[^#@\\\\\\s]+$',
    fault: (text) => {
      const url = URL.canParse(text) ? new URL(text) : undefined
      if (url === undefined || !/^https?:\/\/[\x21-\x7e]+$/.test(text))
        return `must be ${WITNESS_URL.expects}`
      if (url.username !== '' || url.password !== '' || text.includes('#'))
        return 'holds a user name, a password or a fragment'
      const host = url.hostname.replace(/^\[|\]$/g, '')
      return url.protocol === 'http:' && !isLoopback(host)
        ? 'is plain http to a host that is not loopback'
        : undefined
    },
  })

const witness = z
  .strictObject({
    file: filePath()
      .optional()
      .describe('File that every checkpoint is appended to; on other storage than the records'),
    url: witnessUrl().optional().describe('Where every checkpoint is sent by POST'),
    ca: fileReference()
      .optional()
      .describe(
        'PEM file with the certificate authorities that may vouch for the URL, in place of the built-in ones',
      ),
    token: fileReference()
      .optional()
      .describe('File with a token that is sent as Authorization: Bearer, read again for each request'),
    privateNetwork: z.boolean().prefault(false).describe('Whether the URL may resolve to a private address'),
  })
  .check((context) => {
    const { file, url, ca, token, privateNetwork } = context.value
    const fault = faultsOf(context)
    if (file !== undefined && url !== undefined)
      fault('file', 'stands beside url; there is one witness', 'Name one of them.')
    if (file === undefined && url === undefined)
      fault('url', 'is missing, and so is file', 'Name one of them.')
    if (url === undefined && (ca !== undefined || token !== undefined || privateNetwork))
      fault(
        ca !== undefined ? 'ca' : token !== undefined ? 'token' : 'privateNetwork',
        'has a meaning only with url',
        'Remove it.',
      )
  })

const ocsf = z.strictObject({
  directory: filePath().describe(
    'Folder of the files ocsf-CHAIN-NNNN.jsonl, the records as events of OCSF, best-effort and outside the chain; not the folder of the records',
  ),
})

const section = z.strictObject({
  mode: choice(['best-effort', 'strict'])
    .prefault('best-effort')
    .describe(
      'What happens to a call whose record cannot be written: it goes on and the loss is counted, or it is refused',
    ),
  sink: sink.prefault('stdout').describe('Where audit records are written, one JSON object a line'),
  maxFileSize: size({ min: '1MiB', max: '64GiB' })
    .prefault('256MiB')
    .describe('Size at which the next file of a folder is begun'),
  fsync: choice(['off', 'second', 'always'])
    .prefault('second')
    .describe('When files are forced to the disk: never, every second, or before a write counts'),
  maxQueue: size({ min: '64KiB', max: '1GiB' })
    .prefault('8MiB')
    .describe(
      'Bytes of records that may wait for a slow sink; outcomes of calls under way may take 4 MiB more',
    ),
  timeout: duration({ min: '100ms', max: '1m' })
    .prefault('2s')
    .describe(
      'Time that a sink may take nothing before it counts as failed; in strict mode a call waits no longer',
    ),
  witness: witness
    .optional()
    .describe('Keeps copies of the checkpoints elsewhere, which make a cut or exchanged log visible'),
  ocsf: ocsf
    .optional()
    .describe(
      'Writes decisions, outcomes and floods as events of OCSF too, best-effort and outside the chain',
    ),
})

export const auditSection = section.check((context) => {
  const { sink, ocsf } = context.value
  if (sink === 'stdout' || ocsf === undefined || resolve(sink.directory) !== resolve(ocsf.directory)) return
  const where = 'is the folder of the records, where only records may be'
  faultsOf(context)(['ocsf', 'directory'], where, 'Name another folder.')
})

const keys = z.union([z.literal('boot'), fileReference()])
kinds.add(keys, {
  type: 'boot, or { file: path }',
  expects: 'boot or a file',
  fix: 'Write { file: "/path/of/receipt-keys.pem" }, or boot for a key of each start.',
})

export const receiptsSection = z.strictObject({
  keys: keys
    .optional()
    .describe(
      'PEM file with the Ed25519 key that signs receipts and checkpoints, and older public keys; without it, or with boot, one is made at each start, and what it signs is self-asserted',
    ),
})
