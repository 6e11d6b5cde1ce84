// How much a workspace holds outside SQLite and file storage: an estimate that is recounted when it reaches the cap.

import { overLimit } from './refusal.ts'
import { CAPS, type Workspace } from './state.ts'

const PER_ITEM = 16

function bytesOf(roots: unknown[]): number {
  let total = 0
  const stack = roots
  for (let item = stack.pop(); item !== undefined || stack.length > 0; item = stack.pop()) {
    total += PER_ITEM
    if (typeof item === 'string') total += item.length
    else if (Buffer.isBuffer(item) || typeof item !== 'object' || item === null) continue
    else if (item instanceof Map) for (const [key, value] of item) stack.push(key, value)
    else if (Array.isArray(item)) for (const value of item) stack.push(value)
    else for (const [key, value] of Object.entries(item)) stack.push(key, value)
  }
  return total
}

// Called with the size of what may be kept: the sum of all that was ever sent is never less than what is held.
export function reserve(workspace: Workspace, bytes: number): void {
  workspace.kept += bytes
  if (workspace.kept <= CAPS.keptBytes) return
  const { products, apps, secrets, stores } = workspace
  workspace.kept = bytesOf([products, apps, secrets, stores]) + bytes
  if (workspace.kept <= CAPS.keptBytes) return
  workspace.kept -= bytes
  throw overLimit(`a workspace keeps at most ${CAPS.keptBytes} bytes`)
}
