// The stage `validate`: the tool's own check of its arguments; depth and size were bounded when the body was parsed.
import type { Stage } from '../core/call.ts'
import type { JsonObject } from '../core/json.ts'
import type { ToolDefinition } from '../core/tool.ts'
import { type KeyKind, keyKindOf } from '../credentials/index.ts'

export interface ValidateOptions {
  /** Id of a key that came with the call. */
  credentialId(key: string): string
  /** Id of the key that the service would send for a tenant; undefined where it holds none. */
  heldId(tenant: string | undefined, kind: KeyKind): string | undefined
}

export function prepareValidate({ credentialId, heldId }: ValidateOptions): Stage {
  return (call) => {
    const { tool } = call
    if (tool === undefined) throw new Error('validate runs after resolve')
    const checked = tool.validate(call.arguments)
    if ('code' in checked) {
      // Even a refused call may hold a key: it must not turn up in the refusal or its record.
      call.credentials = presented(tool, call.arguments)
      return checked
    }
    call.prepared = checked
    call.credentials = checked.credentials
    call.module = checked.operation.module
    call.method = checked.operation.method
    call.effect = checked.operation.effect
    const key = checked.credentials[0]
    const kind = keyKindOf(tool)
    if (key !== undefined) call.credentialId = credentialId(key)
    else if (kind !== undefined) call.credentialId = heldId(call.principal.tenant, kind)
    return undefined
  }
}

function presented(tool: ToolDefinition, args: JsonObject): string[] {
  return tool.credentialArguments.map((name) => args[name]).filter((value) => typeof value === 'string')
}
