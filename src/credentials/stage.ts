// The stage `credentials`: what goes to the backend with the call, found as late as it can be.
import type { Stage } from '../core/call.ts'
import { deny } from '../core/denials.ts'
import type { Credential } from '../core/tool.ts'
import type { Credentials } from './index.ts'
import { keyKindOf, presentedCredential } from './key.ts'

/** Of a tool that sends no key. */
const NOTHING: Credential = Object.freeze(presentedCredential({}))

export function prepareCredentials(credentials: Credentials): Stage {
  return (call) => {
    const { tool } = call
    if (tool === undefined) throw new Error('credentials runs after validate')
    const { tenant } = call.principal
    call.held = credentials.redactor()
    if (credentials.modeOf(tenant) === 'passthrough') {
      call.credential = presentedCredential(call.arguments)
      return undefined
    }
    const kind = keyKindOf(tool)
    if (kind === undefined) {
      call.credential = NOTHING
      return undefined
    }
    // By the id that policy saw and the record names: a file that was replaced meanwhile must not slip another key in.
    const held = credentials.heldCredential(tenant, kind, call.credentialId)
    if (held === undefined) return deny('credential_unavailable')
    call.credential = held
    return undefined
  }
}
