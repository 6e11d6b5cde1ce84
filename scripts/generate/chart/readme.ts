// README.md of the chart: its introduction, and a table of all values from values.yaml and the schema.
import type { Schema } from './schema.ts'
import type { ValueRow } from './values.ts'

const INTRO = `# ductape-mcp

<!-- Generated from values.yaml and scripts/generate/chart by \`npm run generate\`. Do not edit. -->

An MCP service that lets AI agents use Ductape safely, behind nginx with mutual TLS. One Deployment with two containers, the service and nginx as a native sidecar, and
everything around them that a platform team asks for.

- Hardened without being asked: Pod Security \`restricted\`, no service account token, read-only file systems, users of their own, memory requests equal to limits, AppArmor and seccomp,
  NetworkPolicy that denies both ways.
- Certificates from cert-manager or existing Secrets, the agents' CA from a Secret, a ConfigMap (trust-manager) or a ClusterTrustBundle. All are read again when they change.
- A second server for the people who approve calls, without client certificates, on a port, host and Service of its own, where \`config.peopleUrl\` is set.
- \`config\` is the service's own config.yaml, checked by its own schema before anything is rendered. \`live\` changes in running pods, without a rollout.
- What cannot work is refused in one sentence, before it reaches the cluster.

## Install

Kubernetes 1.30 or newer. Four things have no default: the server's certificate, the CA of the agents' certificates, the key that signs receipts, and the way to the backend.

\`\`\`yaml
# mcp.yaml
tls:
  existingSecret: ductape-mcp-tls
  clientCA:
    existingConfigMap: agents-ca
receipts:
  # openssl genpkey -algorithm ed25519 >keys.pem; kubectl create secret generic ductape-mcp-receipts --from-file=keys.pem
  keySecret: ductape-mcp-receipts
networkPolicy:
  egress:
    backend:
      cidrs: [203.0.113.0/24]
\`\`\`

\`\`\`sh
helm install mcp oci://ghcr.io/ductape/charts/ductape-mcp --namespace mcp --create-namespace --values mcp.yaml --wait
helm test mcp --namespace mcp    # with test.clientSecret: a call through mutual TLS
\`\`\`

The whole way from nothing to a verified call is docs/operate/install.md of the project; ci/ holds an example for each feature. On nodes without AppArmor (kind, RHEL family) add
\`--set appArmorProfile=null\`; on OpenShift \`--values values-openshift.yaml\`.

What the schema cannot say of \`config\`, the service says when it starts, and \`ductape-mcp config check\` of the rendered ConfigMap before that.
By default nobody may call: add rows to \`config.auth\` and roles to \`live.policy\`.

## What is whose

| | where | changes |
|---|---|---|
| \`config\` | ConfigMap RELEASE-config | by a rollout |
| \`live.policy\`, \`live.limits\`, \`live.revocations\`, \`live.kill\` | ConfigMap RELEASE-live | in running pods, within about a minute |
| API keys | your Secret \`live.keysSecret\` | in running pods |
| certificates, CA, revocation list | your Secrets and ConfigMaps, or cert-manager's | in running pods |
| fleet key | your Secret \`fleetKey.existingSecret\`, RELEASE-fleet by default | in running pods |
| key of receipts | your Secret \`receipts.keySecret\` | in running pods |
| files that \`config\` names | your Secrets, mounted by \`secrets\` at /etc/ductape-mcp/secrets/NAME/ | as the service's documents say |

The chart never makes a Secret: what Helm renders, it stores.

## Egress

The rows are those of the service's own table of outbound connections (src/outbound.ts). A row is opened only where the configuration uses it.

EGRESS
## Values

| key | type | default | meaning |
|---|---|---|---|
VALUES
`

export interface EgressRow {
  readonly name: string
  readonly purpose: string
  readonly when: string
}

export function readme(rows: readonly ValueRow[], schema: Schema, egress: readonly EgressRow[]): string {
  const connections = egress
    .map(({ name, purpose, when }) => `| \`${name}\` | ${purpose} | ${when} |\n`)
    .join('')
  const values = rows.map(({ path, default: standard, description }) => {
    const shown = standard === null || standard === undefined ? 'not set' : `\`${JSON.stringify(standard)}\``
    return `| \`${path.join('.')}\` | ${typeOf(at(schema, path))} | ${shown} | ${description.replaceAll('|', '\\|')} |`
  })
  return INTRO.replace(
    'EGRESS',
    `| row of \`networkPolicy.egress\` | for | dialled |\n|---|---|---|\n${connections}`,
  ).replace('VALUES\n', `${values.join('\n')}\n`)
}

export function at(schema: Schema, path: readonly string[]): Schema {
  let found = schema
  for (const key of path) {
    const next = found.properties?.[key]
    if (next === undefined) throw new Error(`chart: the schema has no ${path.join('.')}`)
    found = next
  }
  return found
}

function typeOf({ type, enum: values }: Schema): string {
  if (Array.isArray(values)) return values.map((value) => `\`${String(value)}\``).join(' ')
  const names = [type].flat().map((name) => (name === 'object' ? 'map' : name === 'array' ? 'list' : name))
  return names.join(' or ')
}
