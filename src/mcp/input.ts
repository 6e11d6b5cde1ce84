// Decides whether a client can be asked for input: 2026-07-28 forbids requests for a capability that was not declared (basic/index.mdx, -32021).
import { isObject, type Json, type JsonObject, member } from '../core/json.ts'

/** The capabilities that these input requests need and the client did not declare, in the form of ClientCapabilities; undefined where none is missing. */
export function missingCapabilities(
  inputRequests: JsonObject | undefined,
  declared: JsonObject | undefined,
): JsonObject | undefined {
  const missing: JsonObject = {}
  for (const request of Object.values(inputRequests ?? {})) {
    const need = capabilityOf(request)
    if (need === undefined || isDeclared(need, declared)) continue
    const [name, mode] = need
    const known = missing[name]
    missing[name] = { ...(isObject(known) && known), ...(mode !== undefined && { [mode]: {} }) }
  }
  return Object.keys(missing).length === 0 ? undefined : missing
}

type Need = [name: string, mode?: string]

function capabilityOf(request: Json): Need | undefined {
  const params = member(request, 'params')
  switch (member(request, 'method')) {
    case 'elicitation/create':
      return ['elicitation', member(params, 'mode') === 'url' ? 'url' : 'form']
    case 'sampling/createMessage': {
      const withTools = member(params, 'tools') !== undefined || member(params, 'toolChoice') !== undefined
      return withTools ? ['sampling', 'tools'] : ['sampling']
    }
    case 'roots/list':
      return ['roots']
    default:
      return undefined
  }
}

function isDeclared([name, mode]: Need, declared: JsonObject | undefined): boolean {
  const capability = member(declared, name)
  if (!isObject(capability)) return false
  if (mode === undefined || member(capability, mode) !== undefined) return true
  // Before there were modes, `elicitation: {}` meant the form.
  return name === 'elicitation' && mode === 'form' && member(capability, 'url') === undefined
}
